#!/usr/bin/env python3
"""The pieces of the benchmark that compute: nothing is measured here."""

import sys
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from harness import claims, curves, markdown, peers, rows, stats, svg  # noqa: E402


def sample(cpu_us, messages=1000, generator_us=1.0, **more):
    return {'messages': messages, 'seconds': 0.01, 'server_cpu_seconds': 1e-6 * cpu_us * messages,
            'generator_cpu_seconds': 1e-6 * generator_us * messages, 'server_waited_seconds': 0.0,
            'generator_waited_seconds': 0.0, **more}


def open_loop(p99_us, late_us=1.0, sent=1000.0):
    return sample(5, p50_us=1.0, p99_us=p99_us, p999_us=2 * p99_us, max_us=9.0, late_p99_us=late_us, rate=1000, sent_rate=sent,
                  unanswered=0)


class statistics(unittest.TestCase):
    def test_the_cost_is_the_median_of_the_repeats_and_says_their_spread(self):
        m = stats.cost([sample(4), sample(6), sample(5)])
        self.assertAlmostEqual(m['cpu_us'], 5)
        self.assertAlmostEqual(m['spread'], 0.4)
        self.assertAlmostEqual(m['per_second'], 100_000)
        self.assertFalse(m['generator_bound'])

    def test_a_busy_generator_beside_an_idle_server_is_the_limit(self):
        self.assertTrue(stats.cost([sample(5, generator_us=10)])['generator_bound'])
        self.assertFalse(stats.cost([sample(10, generator_us=10)])['generator_bound'])

    def test_waiting_for_a_processor_is_a_disturbance(self):
        self.assertFalse(stats.cost([sample(5)])['disturbed'])
        self.assertTrue(stats.cost([sample(5, generator_waited_seconds=0.002) | {'server_waited_seconds': 0.002}])['disturbed'])

    def test_percentiles_are_medians_and_a_late_generator_is_the_limit(self):
        m = stats.latency([open_loop(100), open_loop(300), open_loop(200)])
        self.assertEqual((m['p99_us'], m['p999_us'], m['p99_spread']), (200, 400, 1.0))
        self.assertFalse(m['generator_bound'])
        self.assertTrue(stats.latency([open_loop(100, late_us=60)])['generator_bound'])
        self.assertTrue(stats.latency([open_loop(100, sent=900.0)])['generator_bound'])

    def test_repeats_are_compared_with_those_beside_them(self):
        self.assertAlmostEqual(stats.pairwise([sample(2), sample(40), sample(6)], [sample(1), sample(20), sample(4)]), 2)
        self.assertIsNone(stats.pairwise([], [sample(1)]))

    def test_two_shards_have_the_room_that_the_generator_leaves(self):
        one = {'cpu_us': 1.0, 'generator_us': 0.25, 'per_second': 1e6}
        self.assertAlmostEqual(stats.room_for_shards(one, 2), 1.6)
        self.assertAlmostEqual(stats.room_for_shards(one, 64), 2.0)
        self.assertAlmostEqual(stats.room_for_shards(one | {'generator_us': 0.8}, 64), 1.25)


class targets(unittest.TestCase):
    def test_what_compilers_spend_is_held_against_beast(self):
        cost = lambda seconds, kib: {'g++ -O0': {'seconds': seconds, 'kib': kib}}
        made = {claim.text: claim.verdict for claim in claims.claims(
            {}, {'polycast.hpp': cost(1.6, 10), 'polycast.hpp + default server': cost(4, 1), 'polycast echo': cost(3, 200), 'Beast echo': cost(9, 390)}, {}, ())}
        self.assertEqual(made, {'polycast.hpp compiles (g++ -O0)': 'FAIL',
                                'polycast.hpp + default server compiles, of Beast echo (g++ -O0)': 'PASS',
                                'polycast echo compiles, of Beast echo (g++ -O0)': 'PASS',
                                'polycast echo binary, of Beast echo (g++ -O0)': 'FAIL'})

    def claims(self, results, names=('polycast', *peers.PEERS)):
        return {claim.text: claim for claim in claims.claims(results, {}, {}, names)}

    def test_a_row_passes_fails_or_was_not_measured(self):
        made = self.claims({'echo20': {'polycast': {'cpu_us': 4.8}, 'bun': {'cpu_us': 5}, 'beast': {'cpu_us': 5},
                                       'raw': {'error': 'gone'}}})
        verdicts = [claim.verdict for claim in made.values()]
        self.assertEqual(verdicts, ['PASS', 'FAIL', 'NOT MEASURED'])
        self.assertIn('at most 0.97 x: 0.96 x', str(next(iter(made.values()))))

    def test_what_raw_misses_too_is_said_to_be_out_of_reach(self):
        # A row without a raw server of its own has that of another.
        made = self.claims({'cast1': {'polycast': {'cpu_us': 5}, 'bun': {'cpu_us': 10}, 'beast': {'cpu_us': 5}, 'raw': {'cpu_us': 4.5}},
                            'deflate1': {'polycast': {'cpu_us': 5}, 'bun': {'cpu_us': 20}, 'beast': {'cpu_us': 100}},
                            'deflate16': {'polycast': {'cpu_us': 5}, 'bun': {'cpu_us': 20}, 'beast': {'cpu_us': 100}}},
                           ('polycast', 'bun', 'beast', 'raw'))
        self.assertEqual([(claim.verdict, claim.out_of_reach) for claim in made.values()],
                         [('PASS', False), ('FAIL', True), ('FAIL', True), ('PASS', False), ('FAIL', False), ('PASS', False)])
        self.assertIn('0.25 x (out of reach: raw has 0.225 x)', str(list(made.values())[2]))

    def test_a_peer_that_was_not_asked_for_is_not_missing(self):
        self.assertEqual(len(self.claims({'echo20': {'polycast': {'cpu_us': 1}, 'bun': {'cpu_us': 2}}}, ('polycast', 'bun'))), 1)

    def test_shards_are_held_against_the_room_there_is(self):
        def verdict(two, room):
            return next(iter(self.claims({'shards': {'one shard': {'per_second': 1.0},
                                                     'two shards': {'per_second': two, 'room': room}}}).values())).verdict
        self.assertEqual([verdict(1.75, 2.0), verdict(1.6, 2.0), verdict(1.1, 1.2), verdict(0.9, 1.2)],
                         ['PASS', 'FAIL', 'PASS', 'FAIL'])

    def test_every_row_names_servers_that_exist_and_a_way_to_measure(self):
        from harness.measure import MEASUREMENTS
        for row in rows.ROWS.values():
            self.assertIn(row.kind, peers.COMMANDS)
            self.assertIn(row.how, MEASUREMENTS)
            self.assertLessEqual(set(row.targets), set(peers.COMMANDS[row.kind]))


class tables(unittest.TestCase):
    def test_readme_has_a_line_a_row_and_a_ratio_a_peer(self):
        results = {'echo20': {'polycast': {'cpu_us': 4.0}, 'bun': {'cpu_us': 5.0}, 'raw': {'error': 'gone'}},
                   'idle': {'polycast': {'bytes': 400}, 'bun': {'bytes': 1600}, 'raw': {'bytes': 41}}}
        self.assertEqual(markdown.table(results, ['polycast', 'bun', 'raw'], 15000).split('\n'), [
            '| work | polycast | Bun | raw |',
            '|---|---|---|---|',
            '| echo 20 B, one in flight, 100 connections | 4.00 | 5.00 (0.80 ×) | – |',
            '| idle connection, bytes of user memory, 15,000 of them | 400 | 1,600 (0.25 ×) | 41 (9.76 ×) |'])

    def test_what_is_no_cost_of_a_message_is_beside(self):
        latency = {name: stats.latency([open_loop(p99)]) for name, p99 in (('polycast', 100), ('bun', 200))}
        said = markdown.beside({'latency': latency, 'echo20': {}})
        self.assertIn('100 connections (1,000 a second), p99 / p99.9 | polycast 100 / 200 µs, Bun 200 / 400 µs |', said)


class pictures(unittest.TestCase):
    def run_of(self, points):
        return {'commit': 'abc', 'versions': 'g++ <12>', 'repeats': 3, 'panels': {'connections': points}}

    def test_the_picture_is_well_formed_and_has_every_point(self):
        def points(x):
            return {'x': x, 'servers': {name: stats.cost([sample(4), sample(5), sample(7)]) for name in curves.SERVERS}}
        drawn = xml.fromstring(curves.picture(self.run_of([points(10), points(15000)])))
        dots = drawn.findall('.//{*}circle')
        self.assertEqual(len(dots), 4)
        for dot in dots:
            self.assertTrue(svg.LEFT <= float(dot.get('cx')) <= svg.WIDTH and svg.TOP <= float(dot.get('cy')) <= svg.HEIGHT)
        words = [text.text for text in drawn.findall('.//{*}text')]
        self.assertTrue({'polycast', 'Bun', 'connections', 'server µs a message', '1k', '10k'} <= set(words), words)

    def test_a_point_that_failed_is_left_out(self):
        run = self.run_of([{'x': 10, 'servers': {'polycast': stats.cost([sample(4)]), 'bun': {'error': 'gone'}}}])
        self.assertEqual(len(xml.fromstring(curves.picture(run)).findall('.//{*}circle')), 1)
        self.assertIn('bun failed: gone', curves.text(run))

    def test_numbers_are_short(self):
        self.assertEqual([svg.nice(n) for n in (0.05, 20, 1024, 64 * 1024, 1 << 20, 1500, 15000)],
                         ['0.05', '20', '1k', '64k', '1M', '1.5k', '15k'])
        self.assertEqual(svg.ticks(3, 30), [5.0, 10.0, 20.0])


if __name__ == '__main__':
    unittest.main()
