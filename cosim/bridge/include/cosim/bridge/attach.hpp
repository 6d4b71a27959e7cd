// SPDX-License-Identifier: MIT
/**
 * \file
 * How a program finds the host's segment. It has no name of its own, so nothing can clash or go
 * stale: a child inherits its descriptor, and whoever comes another way opens the host's descriptor
 * through /proc.
 */
#ifndef COSIM_BRIDGE_ATTACH_HPP
#define COSIM_BRIDGE_ATTACH_HPP

#include "error.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cosim::bridge
{

/// \return the symbolic link by which a host that waits under `name` is found.
inline std::string LinkOf(const std::string& name)
{
    if (name.empty() || name.size() > 100 || name.find('/') != std::string::npos)
    {
        throw BridgeError("a bridge's name has 1 to 100 characters and no '/': '" + name + "'");
    }
    const char* folder = std::getenv("XDG_RUNTIME_DIR");
    return std::string(folder != nullptr && *folder == '/' ? folder : "/tmp") + "/cosim-bridge-" +
           std::to_string(::getuid()) + "-" + name;
}

/// Opens the segment at a path such as /proc/1234/fd/5.
inline int OpenPath(const std::string& path)
{
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0)
    {
        throw PeerDied(
            "the bridge's segment " + path +
            " cannot be opened (the engine's process has ended?): " + std::strerror(errno));
    }
    return fd;
}

/// Opens the segment of the host that waits under `name`.
inline int OpenByName(const std::string& name)
{
    const std::string link = LinkOf(name);
    struct stat info{};
    char target[PATH_MAX]{};
    if (::lstat(link.c_str(), &info) != 0 || !S_ISLNK(info.st_mode) || info.st_uid != ::getuid() ||
        ::readlink(link.c_str(), target, sizeof target - 1) < 0)
    {
        throw BridgeError("no bridge waits under the name '" + name +
                          "': call Bridge.create("
                          "attach_name='" +
                          name + "') in Python first (" + link + ")");
    }
    return OpenPath(target);
}

/// Opens the segment that the environment names; see Bridge::FromEnvironment.
inline int OpenFromEnvironment()
{
    const char* path = std::getenv("COSIM_BRIDGE_PATH");
    if (const char* text = std::getenv("COSIM_BRIDGE_FD"))
    {
        char* end = nullptr;
        const long fd = std::strtol(text, &end, 10);
        if (*text == '\0' || *end != '\0' || fd < 0 || fd > INT_MAX)
        {
            throw BridgeError(std::string("COSIM_BRIDGE_FD='") + text + "' is no descriptor");
        }
        // A script between host and program may have closed the descriptor, or have opened
        // something else under its number: then the path tells which file it should be.
        struct stat own{};
        struct stat host{};
        const bool open = ::fstat(static_cast<int>(fd), &own) == 0;
        if (path == nullptr || (open && ::stat(path, &host) == 0 && host.st_ino == own.st_ino &&
                                host.st_dev == own.st_dev))
        {
            return static_cast<int>(fd);
        }
    }
    if (path != nullptr)
    {
        return OpenPath(path);
    }
    if (const char* name = std::getenv("COSIM_BRIDGE_NAME"))
    {
        return OpenByName(name);
    }
    throw BridgeError("neither COSIM_BRIDGE_FD nor COSIM_BRIDGE_NAME is set: this program is "
                      "started from Python by cosim.bridge.Bridge.spawn (or `cosim run`)");
}

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_ATTACH_HPP
