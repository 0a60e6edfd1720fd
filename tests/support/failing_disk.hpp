#pragma once

#include <array>
#include <cstdlib>

#include <sqlite3.h>

/// The disk under SQLite, as long as one of these lives: it can be full, or fail on demand. For connections that are
/// opened while it lives; they must be closed before it goes. One at a time, on one thread.
class failing_disk {
public:
    failing_disk()
    {
        base() = sqlite3_vfs_find(nullptr);
        static sqlite3_vfs shim;
        shim = *base();
        shim.zName = "failing_disk";
        shim.pNext = nullptr;
        shim.xOpen = [](sqlite3_vfs*, char const* name, sqlite3_file* file, int flags, int* out) {
            int const result = base()->xOpen(base(), name, file, flags, out);
            if (result == SQLITE_OK && file->pMethods != nullptr)
                file->pMethods = &over(file->pMethods).shown;
            return result;
        };
        state() = {};
        sqlite3_vfs_register(&shim, 1);
        shim_ = &shim;
    }
    ~failing_disk()
    {
        sqlite3_vfs_unregister(shim_);
        sqlite3_vfs_register(base(), 1);
    }
    failing_disk(failing_disk const&) = delete;

    /// Files can be written, and none can grow.
    void full(bool is) { state().full = is; }
    /// The next `after` writes and syncs succeed, the one behind them fails; then all succeed.
    void fail_after(long after)
    {
        state().left = after;
        state().failed = false;
    }
    [[nodiscard]] bool failed() const { return state().failed; }

private:
    struct condition {
        bool full = false, failed = false;
        long left = -1;
    };
    static condition& state()
    {
        static condition c;
        return c;
    }
    static bool fails()
    {
        if (state().left < 0 || state().left-- > 0)
            return false;
        return state().failed = true;
    }
    static sqlite3_vfs*& base()
    {
        static sqlite3_vfs* vfs = nullptr;
        return vfs;
    }
    /// The functions of one kind of file, some of them replaced. Its address is that of `shown`.
    struct methods {
        sqlite3_io_methods shown;
        sqlite3_io_methods const* real;
    };
    static sqlite3_io_methods const* real(sqlite3_file* f)
    {
        return reinterpret_cast<methods const*>(f->pMethods)->real;
    }
    static methods& over(sqlite3_io_methods const* of)
    {
        static std::array<methods, 4> all{};
        for (methods& m : all) {
            if (m.real == of)
                return m;
            if (m.real != nullptr)
                continue;
            m = {*of, of};
            m.shown.xWrite = [](sqlite3_file* f, void const* data, int size, sqlite3_int64 at) {
                sqlite3_int64 now = 0;
                real(f)->xFileSize(f, &now);
                if (at + size > now && state().full)
                    return SQLITE_FULL;
                return fails() ? SQLITE_IOERR_WRITE : real(f)->xWrite(f, data, size, at);
            };
            m.shown.xSync = [](sqlite3_file* f, int how) { return fails() ? SQLITE_IOERR_FSYNC : real(f)->xSync(f, how); };
            return m;
        }
        std::abort();
    }

    sqlite3_vfs* shim_;
};
