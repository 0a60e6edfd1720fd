#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace polycast::inline v0::detail {

[[nodiscard]] inline std::error_code unix_error() noexcept
{
    return {errno, std::generic_category()};
}

/// The address of a Unix socket: a path, or `@name` in the abstract namespace.
class unix_address {
public:
    explicit unix_address(std::string_view text)
    {
        address_.sun_family = AF_UNIX;
        bool const abstract = text.starts_with('@');
        // A path needs room for the zero behind it; "example" is as likely a host name that was meant for TCP.
        if (text.size() >= sizeof address_.sun_path)
            error_ = std::make_error_code(std::errc::filename_too_long);
        else if (text.find('\0') != text.npos || (abstract ? text.size() < 2 : text.find('/') == text.npos))
            error_ = std::make_error_code(std::errc::invalid_argument);
        else
            text.copy(address_.sun_path, text.size());
        if (abstract)
            address_.sun_path[0] = '\0';
        // An abstract name is as long as the address says: zeros would be part of it.
        size_ = static_cast<::socklen_t>(offsetof(::sockaddr_un, sun_path) + text.size() + (abstract ? 0 : 1));
    }
    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    [[nodiscard]] ::sockaddr const* data() const noexcept { return reinterpret_cast<::sockaddr const*>(&address_); }
    [[nodiscard]] ::socklen_t size() const noexcept { return size_; }
    /// Null for an abstract name.
    [[nodiscard]] char const* path() const noexcept
    {
        return address_.sun_path[0] == '\0' ? nullptr : address_.sun_path;
    }

private:
    ::sockaddr_un address_{};
    ::socklen_t size_ = 0;
    std::error_code error_{};
};

/// A new non-blocking descriptor, connected; it never waits. `resource_unavailable_try_again`: the backlog is full.
[[nodiscard]] inline int unix_connect(unix_address const& to, std::error_code& ec) noexcept
{
    int const descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor >= 0 && ::connect(descriptor, to.data(), to.size()) == 0)
        return descriptor;
    ec = unix_error();
    if (descriptor >= 0)
        ::close(descriptor);
    return -1;
}

/// A listening Unix socket, and the file that stands for it.
template <class = void>
class basic_unix_listener {
public:
    basic_unix_listener(std::string_view path, std::uint16_t permissions, int backlog, std::error_code& ec)
        : name_(path), address_(path)
    {
        ec = address_.error();
        if (!ec && address_.path() != nullptr)
            make_way(ec);
        if (ec)
            return;
        descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (descriptor_ < 0 || ::bind(descriptor_, address_.data(), address_.size()) != 0) {
            ec = unix_error();
            return;
        }
        struct ::stat made {};
        if (address_.path() != nullptr && ::lstat(address_.path(), &made) == 0) {
            owner_ = ::getpid();
            device_ = made.st_dev;
            inode_ = made.st_ino;
        }
        // Nobody can connect before `listen`: the permissions are never wider than they shall be.
        if ((address_.path() != nullptr && ::chmod(address_.path(), permissions) != 0) || ::listen(descriptor_, backlog) != 0)
            ec = unix_error();
    }
    basic_unix_listener(basic_unix_listener const&) = delete;
    ~basic_unix_listener()
    {
        // Not a file that has taken our place, and not from a child of a fork.
        struct ::stat now {};
        if (owner_ != 0 && owner_ == ::getpid() && ::lstat(address_.path(), &now) == 0 && now.st_dev == device_ &&
            now.st_ino == inode_)
            ::unlink(address_.path());
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }
    [[nodiscard]] std::string const& name() const noexcept { return name_; }
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

private:
    /// Removes the socket of a listener that is no more. Between `bind` and `listen` a new one looks like that: two that
    /// start on one path in the same microseconds may not see each other, and the later keeps the path.
    void make_way(std::error_code& ec) const noexcept
    {
        struct ::stat there {};
        if (::lstat(address_.path(), &there) != 0) {
            if (errno != ENOENT)
                ec = unix_error();
            return;
        }
        if (!S_ISSOCK(there.st_mode)) {
            ec = std::make_error_code(std::errc::not_a_socket);
            return;
        }
        std::error_code found;
        if (int const connected = unix_connect(address_, found); connected >= 0)
            ::close(connected);
        if (found != std::errc::connection_refused) {
            // Accepted, no room in the backlog, or a socket of another type: somebody is there.
            bool const unknown = found == std::errc::permission_denied;
            ec = unknown ? found : std::make_error_code(std::errc::address_in_use);
            return;
        }
        if (::unlink(address_.path()) != 0 && errno != ENOENT)
            ec = unix_error();
    }

    std::string name_;
    unix_address address_;
    int descriptor_ = -1;
    ::pid_t owner_ = 0;
    ::dev_t device_ = 0;
    ::ino_t inode_ = 0;
};
using unix_listener = basic_unix_listener<>;

/// The listening sockets of the copies of one transport, so that its acceptors can share them. Any thread.
template <class = void>
class basic_unix_listeners {
public:
    explicit basic_unix_listeners(std::uint16_t permissions) noexcept : permissions_(permissions) {}

    /// One that is open already if it may be `shared`, else a new one. Null where `ec` is set.
    [[nodiscard]] std::shared_ptr<unix_listener> listen(std::string_view path, bool shared, int backlog,
                                                        std::error_code& ec)
    {
        std::lock_guard const lock(mutex_);
        if (auto const open = shared_.lock(); shared && open && open->name() == path) {
            ec.clear();
            return open;
        }
        auto made = std::make_shared<unix_listener>(path, permissions_, backlog, ec);
        if (ec)
            return {};
        if (shared)
            shared_ = made;
        return made;
    }

private:
    std::uint16_t const permissions_;
    std::mutex mutex_;
    std::weak_ptr<unix_listener> shared_;
};
using unix_listeners = basic_unix_listeners<>;

}  // namespace polycast::inline v0::detail
