#pragma once

// A client written from WIRE alone, so that the library's own is not its only judge. What it takes it shows the model. Its
// habits make it behave badly where WIRE lets a client do so.

#include "link.hpp"
#include "message.hpp"
#include "model.hpp"
#include "scenario.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace simulation {

/// The server's: a client that has not said `$open` by then is served as one that never will.
inline constexpr std::chrono::seconds handshake_timeout{30};

/// What those who act share.
struct surroundings {
    pc::transport::world& world;
    model& rules;
    dice chance;
    std::uint16_t port = 0;
    bool deaf = false;                        ///< what the server says now, a killed one would not have said
    bool calm = false;                        ///< the faults are over: come back soon, and stay
    std::uint32_t next_request = 1;
    std::size_t max_requests = 256;           ///< that the server remembers
    std::map<int, std::string> tickets{};     ///< by client: the name of its newest session, for thieves
    std::map<std::uint32_t, ledger*> plain_sessions{};  ///< by ticket

    void note(std::string_view what, std::uint64_t who = 0, std::uint64_t count = 0) { world.note(what, who, count); }
    [[nodiscard]] std::chrono::milliseconds now() const
    {
        return std::chrono::duration_cast<std::chrono::milliseconds>(world.now().time_since_epoch());
    }
};

class reference_client {
public:
    reference_client(surroundings& around, int index, std::string user, habits const& how)
        : around_(around), index_(index), user_(std::move(user)), how_(how), loop_(sim(around.world)), retry_(loop_),
          watch_(loop_), ack_(loop_)
    {
    }
    reference_client(reference_client const&) = delete;
    ~reference_client() { hang_up(); }

    void start(std::chrono::milliseconds after)
    {
        retry_.start(after, [this] { connect(); });
        watch();
    }

    // --- what it does of its own accord -----------------------------------------------------------------------------

    void request(wish want, std::string const& room)
    {
        std::uint32_t const n = around_.next_request++;
        around_.rules.seen.requests += 1;
        around_.rules.asked(n, index_, user_, want);
        std::string data = say("\"type\":\"", want == wish::reply ? "query" : "ask", "\",\"data\":{\"n\":", n, ",\"want\":",
                               static_cast<std::uint32_t>(want));
        data += want == wish::reply ? "}" : say(",\"room\":\"", room, "\"}");
        send({.id = next_id_++, .n = n, .body = std::move(data), .what = pending::matter::ask, .room = {}});
    }
    void join(std::string const& room)
    {
        place& p = rooms_[room];
        bool const leaving = std::ranges::any_of(unanswered_, [&](pending const& u) { return u.room == room; });
        if (std::exchange(p.wanted, true) || !how_.reliable || leaving)
            return;
        ask_to_join(room, p);
    }
    void leave(std::string const& room)
    {
        place& p = rooms_[room];
        if (!p.joined || !how_.reliable)
            return;
        p.wanted = p.joined = false;
        if (life_)
            around_.rules.leaving(*life_, room);
        send({.id = next_id_++, .n = 0, .body = say("\"type\":\"$leave\",\"room\":\"", room, "\""),
              .what = pending::matter::leave, .room = room});
    }
    void drop()
    {
        around_.note("client drops", who());
        if (link_)
            gone(false);
    }
    void close_for_good()
    {
        if (!live_ || parting_)
            return;
        around_.note("client closes for good", who());
        parting_ = true;
        if (life_ != nullptr)
            life_->ending = true;
        link_->close(pc::close_code::normal);
    }
    void read(bool on)
    {
        if (link_)
            link_->read(on);
        heard_ = around_.now();
    }
    void be_good()
    {
        how_.forgets = how_.overclaims = how_.steals = 0;
        how_.bytes_a_read = 64 * 1024;
        how_.between_reads = {};
        how_.acks = habits::acking::as_asked;
        if (link_) {
            link_->bytes_a_read = how_.bytes_a_read;
            link_->between_reads = {};
            link_->read(true);
        }
        note_ack();
        if (!link_)
            come_back(std::chrono::milliseconds(10));
    }

    // --- what the judge asks ------------------------------------------------------------------------------------------

    [[nodiscard]] bool settled() const { return live_ && !parting_ && unanswered_.empty() && acked_ == received_; }
    [[nodiscard]] bool live() const { return live_ && !parting_; }
    [[nodiscard]] ledger* session() const { return life_; }
    [[nodiscard]] int index() const { return index_; }
    [[nodiscard]] std::string state() const
    {
        return say("client ", index_, live_ ? ": live" : link_ ? ": connecting" : ": away", ", has ", received_, ", acked ",
                   acked_, ", ", unanswered_.size(), " unanswered", unanswered_.empty() ? "" : ": " + unanswered_.front().body);
    }

    // --- for its link -------------------------------------------------------------------------------------------------

    void linked(bool token)
    {
        if (how_.reliable != token)
            throw violation("the subprotocol was not agreed on");
        if (!how_.reliable)
            return enter_plain();
        link_->text(opening());
    }
    void heard() { heard_ = around_.now(); }
    void came(std::string_view text)
    {
        auto const keep = link_;  // a message may end the connection
        for (std::size_t at = 0; at <= text.size() && keep == link_;) {
            auto const end = std::min(text.find('\n', at), text.size());
            one(text.substr(at, end - at));
            at = end + 1;
        }
    }
    void closing(pc::close_code code)
    {
        using enum pc::close_code;
        auto const value = static_cast<unsigned>(code);
        around_.note("client is closed", who(), value);
        around_.rules.seen.slow_closes += code == slow_reader;
        around_.rules.seen.limit_closes += code == try_again_later;
        if (code == protocol_error || code == unsupported_data || code == invalid_payload || code == message_too_big)
            throw violation(say("client ", index_, " is accused by the server: ", value));
        // WIRE: 4000–4499 invite a reconnect, 4500–4999 say stop; the rest as RFC 6455 means it.
        bool const invited = (value >= 4000 && value < 4500) || code == going_away || code == service_restart ||
                             code == try_again_later || code == internal_error;
        final_ = parting_ || !invited;
        refused_ = code == try_again_later;
    }
    void foul(std::string const& what) { throw violation(say("client ", index_, ": the server broke a rule: ", what)); }
    void lost() { gone(true); }

private:
    struct pending {
        enum class matter : std::uint8_t { ask, join, leave };
        std::uint64_t id;
        std::uint32_t n;
        std::string body;
        matter what;
        std::string room;
        std::optional<std::uint64_t> since{};
        std::string epoch{};
        bool sent = false;
        std::uint64_t first_sent = 0;         ///< as which of all that this client has sent, joins included
        std::uint32_t on_connection = 0;      ///< has been sent on this one
    };
    struct place {
        bool wanted = false, joined = false;
        std::uint64_t seen = 0;
        std::string epoch{};
    };

    [[nodiscard]] std::uint64_t who() const { return static_cast<std::uint64_t>(index_); }
    void watch()
    {
        watch_.start(std::chrono::seconds(2), [this] {
            auto const now = around_.now();
            if (link_ && link_->reads() && now - heard_ > std::chrono::seconds(12)) {
                around_.note("client gives up", who());
                gone(false);
            } else if (live_ && link_->reads() && now - heard_ > std::chrono::seconds(3)) {
                link_->text(with_received("\"type\":\"$ping\""));
            } else if (live_ && around_.calm && !unanswered_.empty() && now - std::max(asked_, taken_) > std::chrono::seconds(20)) {
                gone(false);  // the answer may be one of the events that a gap names
            }
            watch();
        });
    }
    void connect()
    {
        around_.rules.seen.connections += 1;
        std::uint32_t const ticket = static_cast<std::uint32_t>(index_) * 100'000 + ++connection_;
        ticket_ = ticket;
        heard_ = began_at_ = around_.now();
        refused_ = final_ = parting_ = false;
        link_ = std::make_shared<link<reference_client>>(*this, loop_, say("/?user=", user_, "&ticket=", ticket), how_.reliable);
        link_->bytes_a_read = how_.bytes_a_read;
        link_->between_reads = how_.between_reads;
        link_->connect(around_.port);
    }
    void come_back(std::chrono::milliseconds after)
    {
        retry_.start(after, [this] {
            if (!link_)
                connect();
        });
    }
    void hang_up()
    {
        if (auto const l = std::exchange(link_, nullptr))
            l->abandon();
        live_ = false;
    }
    /// The connection is over; `told` by the network, or given up.
    void gone(bool)
    {
        bool const was_live = live_;
        around_.rules.seen.lost_connections += was_live;
        around_.note("client has lost its connection", who(), received_);
        hang_up();
        ack_.cancel();
        ack_due_ = false;
        if (!how_.reliable || final_)
            forget();
        auto const wait = around_.chance.between(how_.back_least, how_.back_most);
        if (around_.calm)
            come_back(around_.chance.between(std::chrono::milliseconds(10), std::chrono::milliseconds(refused_ ? 3000 : 300)));
        else
            come_back(wait + std::chrono::milliseconds(refused_ ? 1000 : was_live ? 0 : 100));
    }
    /// Of the session, not of what it has seen of rooms.
    void forget()
    {
        session_.clear();
        received_ = acked_ = 0;
        life_ = nullptr;
        for (auto& [name, p] : rooms_)
            p.joined = false;
        std::erase_if(unanswered_, [this](pending const& p) { return p.what != pending::matter::ask || !how_.reliable; });
    }

    // --- opening ------------------------------------------------------------------------------------------------------

    std::string opening()
    {
        auto& chance = around_.chance;
        claimed_ = session_;
        claim_ = claim::honest;
        if (session_.empty())
            return R"({"type":"$open"})";
        std::uint64_t said = received_;
        if (chance.happens(how_.forgets)) {
            said = chance.from(acked_, received_);
            received_ = said;
        }
        if (chance.happens(how_.overclaims)) {
            claim_ = claim::too_much;
            said += 1'000'000;
        } else if (chance.happens(how_.steals)) {
            for (auto const& [client, name] : around_.tickets)
                if (client != index_ && around_.rules.find(name) && around_.rules.find(name)->user != user_) {
                    claim_ = claim::theft;
                    claimed_ = name;
                    said = 0;
                }
        }
        return say(R"({"type":"$open","session":")", claimed_, R"(","received":)", said, "}");
    }
    void greeted(message const& m)
    {
        auto& seen = around_.rules.seen;
        std::string const name(m.text("session"));
        bool const resumed = m.flag("resumed").value_or(false);
        around_.note(resumed ? "client is resumed" : "client has a new session", who(), received_);
        every_ = m.number("ack", "every").value_or(32);
        within_ = std::chrono::milliseconds(m.number("ack", "within_ms").value_or(500));
        ledger* const l = around_.rules.find(name);
        if (l == nullptr)
            throw violation(say("client ", index_, " is told of a session that was never opened: ", name));
        if (resumed) {
            if (claim_ != claim::honest || name != claimed_ || life_ != l)
                l->broken(say("resumed for client ", index_, " that asked for ", claimed_,
                              claim_ == claim::theft ? ", a theft" : claim_ == claim::too_much ? ", and claimed too much" : ""));
            ++seen.resumes;
            acked_ = received_;
        } else {
            seen.thefts_refused += claim_ == claim::theft;
            seen.overclaims_refused += claim_ == claim::too_much;
            seen.fresh += !claimed_.empty();
            if (l->client >= 0 || l->user != user_)
                l->broken(say("given to client ", index_, " of user ", user_, " as a new one"));
            forget();
            session_ = name;
            l->client = index_;
            life_ = l;
        }
        around_.tickets[index_] = name;
        epoch_ = m.text("epoch");
        live_ = true;
        if (!resumed) {
            for (pending& p : unanswered_)
                p.first_sent = 0;  // a new session remembers nothing
            sent_ = 0;
            for (auto& [room, p] : rooms_)
                if (p.wanted)
                    unanswered_.insert(unanswered_.begin(), joining(room, p));
        }
        // In order: joins, what was not answered, then what is new.
        transmit_what_may_be();
    }
    void enter_plain()
    {
        auto const at = around_.plain_sessions.find(ticket_);
        if (at == around_.plain_sessions.end())
            return;  // over a limit: a close frame follows
        life_ = at->second;
        life_->client = index_;
        life_->plain = true;
        live_ = true;
        transmit_what_may_be();
    }

    // --- messages -----------------------------------------------------------------------------------------------------

    void one(std::string_view text)
    {
        message const m(text);
        if (!m.sound())
            throw violation(say("client ", index_, " got what is no message: ", text));
        auto const type = m.text("type");
        if (type == "$hello")
            return greeted(m);
        if (!live_ && around_.now() - began_at_ >= handshake_timeout)
            return gone(false);  // its `$open` came so late that it is served as one that says none
        if (!live_)
            throw violation(say("client ", index_, " got an event before $hello: ", text));
        if (type.starts_with('$'))
            return control(type, m);
        event(type, m, text);
    }
    void event(std::string_view type, message const& m, std::string_view text)
    {
        taken_ = around_.now();
        if (how_.reliable) {
            ++received_;
            note_ack();
        }
        if (type == "answer")
            return replied(m, text);
        auto const what = kind_of(type);
        if (!what)
            throw violation(say("client ", index_, " got an event of no known type: ", text));
        taken t{.what = *what, .run = std::string(m.text("data", "run_id")), .to = std::string(m.text("data", "to")),
                .text = std::string(m.text("data", "text")), .room = std::string(m.text("room")),
                .n = static_cast<std::uint32_t>(m.number("data", "n").value_or(0)), .offset = m.number("offset").value_or(0),
                .raw = text};
        bool stale = false;
        if (t.offset != 0) {
            // WIRE: a client drops an event whose room offset it has already seen.
            place& p = rooms_[t.room];
            stale = p.epoch == epoch_ && t.offset <= p.seen;
            if (p.epoch != epoch_ || !stale)
                p.seen = t.offset;
            p.epoch = epoch_;
        }
        around_.rules.took(*life_, received_, t, stale);
    }
    void replied(message const& m, std::string_view text)
    {
        around_.rules.took_reply(*life_, received_, text);
        if (auto const at = find(m.number("id").value_or(0)); at != unanswered_.end())
            answered(at, "reply");
    }
    void control(std::string_view type, message const& m)
    {
        if (type == "$gap") {
            auto const from = m.number("from").value_or(0), to = m.number("to").value_or(0);
            around_.note("client has a gap", who(), to);
            around_.rules.gap(*life_, received_, from, to, m.text("reason"));
            received_ = to;
            return note_ack();
        }
        if (type != "$ok" && type != "$error")
            return;
        auto const at = find(m.number("id").value_or(0));
        if (at == unanswered_.end())
            return;  // answered before
        if (at->what == pending::matter::ask)
            return answered(at, type == "$ok" ? "ok" : m.text("code"));
        pending const p = std::move(*at);
        unanswered_.erase(at);
        if (p.what == pending::matter::leave) {
            around_.rules.left(*life_, p.room);
            if (place const& again = rooms_[p.room]; again.wanted)
                ask_to_join(p.room, again);
            return;
        }
        if (type == "$error")
            throw violation(say("client ", index_, " may not join ", p.room, ": ", m.text("code")));
        place& to = rooms_[p.room];
        to.joined = true;
        auto const offset = m.number("offset").value_or(0);
        std::string const epoch(m.text("epoch"));
        auto const recovered = m.flag("recovered");
        around_.rules.join_answered(*life_, p.room, p.since, offset, recovered, epoch == p.epoch);
        if (!recovered.value_or(false)) {
            // What it had of the room before means nothing now; `max`: a later event may have overtaken the answer.
            to.seen = to.epoch == epoch && to.seen > offset ? to.seen : offset;
            to.epoch = epoch;
        }
    }

    // --- requests and acks --------------------------------------------------------------------------------------------

    std::deque<pending>::iterator find(std::uint64_t id)
    {
        return std::find_if(unanswered_.begin(), unanswered_.end(), [&](pending const& p) { return p.id == id; });
    }
    void answered(std::deque<pending>::iterator at, std::string_view how)
    {
        around_.rules.answered(at->n, how);
        unanswered_.erase(at);
        transmit_what_may_be();
    }
    pending joining(std::string const& room, place const& p)
    {
        pending made{.id = next_id_++, .n = 0, .body = say("\"type\":\"$join\",\"room\":\"", room, "\""),
                     .what = pending::matter::join, .room = room};
        if (how_.rejoins_since && p.seen != 0) {
            made.since = p.seen;
            made.epoch = p.epoch;
            made.body += say(",\"since\":", p.seen, ",\"epoch\":\"", p.epoch, "\"");
        }
        return made;
    }
    void ask_to_join(std::string const& room, place const& p)
    {
        if (live_ || !session_.empty())  // else with the session
            send(joining(room, p));
    }
    void send(pending p)
    {
        asked_ = around_.now();
        unanswered_.push_back(std::move(p));
        transmit_what_may_be();
    }
    /// In order; no more at a time than the server remembers, or one that is asked again might run again.
    void transmit_what_may_be()
    {
        std::uint64_t oldest = ~std::uint64_t{0};
        for (pending const& p : unanswered_)
            if (p.first_sent != 0)
                oldest = std::min(oldest, p.first_sent);
        for (pending& p : unanswered_) {
            if (!live_ || parting_)
                return;
            if (p.first_sent == 0 && sent_ >= oldest && sent_ + 1 - oldest >= around_.max_requests)
                return;
            if (p.first_sent == 0)
                p.first_sent = ++sent_;
            oldest = std::min(oldest, p.first_sent);
            if (std::exchange(p.on_connection, connection_) != connection_)
                transmit(p);
        }
    }
    void transmit(pending& p)
    {
        if (std::exchange(p.sent, true)) {
            ++around_.rules.seen.repeats;
            if (p.what == pending::matter::ask)
                around_.rules.repeated(p.n);
        }
        asked_ = around_.now();
        link_->text(with_received(say("\"id\":", p.id, ",", p.body)));
    }
    std::string with_received(std::string const& body)
    {
        if (how_.acks != habits::acking::in_messages || !how_.reliable)
            return "{" + body + "}";
        acked_ = received_;
        return say("{", body, ",\"received\":", received_, "}");
    }
    void note_ack()
    {
        if (!live_ || !how_.reliable || how_.acks == habits::acking::never || how_.acks == habits::acking::in_messages)
            return;
        bool const late = how_.acks == habits::acking::late;
        if (received_ - acked_ >= (late ? 8 * every_ : every_))
            return ack();
        if (received_ != acked_ && !std::exchange(ack_due_, true))
            ack_.start(late ? 20 * within_ : within_, [this] {
                ack_due_ = false;
                ack();
            });
    }
    void ack()
    {
        if (!live_ || parting_ || acked_ == received_)
            return;
        acked_ = received_;
        link_->text(say(R"({"type":"$ack","received":)", received_, "}"));
    }

    enum class claim : std::uint8_t { honest, too_much, theft };

    surroundings& around_;
    int const index_;
    std::string const user_;
    habits how_;
    sim::loop loop_;
    sim::timer retry_, watch_, ack_;
    std::shared_ptr<link<reference_client>> link_{};
    std::uint32_t connection_ = 0, ticket_ = 0;
    bool live_ = false;      ///< events may come and go
    bool parting_ = false;   ///< has said 1000
    bool final_ = false;     ///< the session ends with this connection
    bool refused_ = false;
    bool ack_due_ = false;
    claim claim_ = claim::honest;
    std::string claimed_{};

    // The session.
    std::string session_{}, epoch_{};
    std::uint64_t received_ = 0, acked_ = 0, every_ = 32;
    std::chrono::milliseconds within_{500}, heard_{}, asked_{}, taken_{}, began_at_{};
    ledger* life_ = nullptr;
    std::map<std::string, place> rooms_{};
    std::deque<pending> unanswered_{};
    std::uint64_t next_id_ = 1, sent_ = 0;
};

}  // namespace simulation
