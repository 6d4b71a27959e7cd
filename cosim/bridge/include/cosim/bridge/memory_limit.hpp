// SPDX-License-Identifier: MIT
#ifndef COSIM_BRIDGE_MEMORY_LIMIT_HPP
#define COSIM_BRIDGE_MEMORY_LIMIT_HPP

#include "error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

namespace cosim::bridge
{

/**
 * Memory that a segment can still take: what the machine has available and what the control group
 * leaves. An anonymous segment has no limit of its own, so asking the kernel for more than there is
 * would bring the out-of-memory killer and not an error.
 */
inline std::uint64_t AvailableMemory()
{
    std::uint64_t available = std::numeric_limits<std::uint64_t>::max();
    std::ifstream machine("/proc/meminfo");
    for (std::string key; machine >> key;)
    {
        std::uint64_t value = 0;
        if (key == "MemAvailable:" && machine >> value)
        {
            available = value * 1024;
            break;
        }
        machine.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    std::string path; // "0::/user.slice/..." in a version 2 hierarchy
    std::ifstream group("/proc/self/cgroup");
    while (std::getline(group, path) && path.rfind("0::", 0) != 0)
    {
    }
    if (path.rfind("0::", 0) == 0)
    {
        const std::string folder = "/sys/fs/cgroup" + path.substr(3);
        std::uint64_t most = 0;
        std::uint64_t used = 0;
        // "max" is no number: then there is no limit.
        if (std::ifstream(folder + "/memory.max") >> most &&
            std::ifstream(folder + "/memory.current") >> used)
        {
            available = std::min(available, most - std::min(most, used));
        }
    }
    return available;
}

/// Throws BridgeError if a segment of `bytes` cannot fit.
inline void CheckMemory(std::size_t bytes)
{
    const auto available = AvailableMemory();
    if (bytes > available)
    {
        throw BridgeError("no memory for a segment of " + std::to_string(bytes) + " bytes, " +
                          std::to_string(available) +
                          " are available: declare smaller channels (capacity, payload bytes)");
    }
}

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_MEMORY_LIMIT_HPP
