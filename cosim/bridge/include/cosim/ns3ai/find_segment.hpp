// SPDX-License-Identifier: MIT
/**
 * \file
 * How the two halves find the same memory. Python's Experiment makes an anonymous segment and hands
 * its descriptor to both, so names cannot clash. Halves that were started by hand meet by their
 * names, through a link to the creator's descriptor.
 */
#ifndef COSIM_NS3AI_FIND_SEGMENT_HPP
#define COSIM_NS3AI_FIND_SEGMENT_HPP

#include "cosim/bridge/attach.hpp"
#include "cosim/bridge/record.hpp"

#include <string>

#include <sys/mman.h>

namespace cosim::ns3ai
{

/// The four names that ns3-ai's users give.
struct Names
{
    std::string segment;
    std::string cpp2py;
    std::string py2cpp;
    std::string lockable;

    /// \return one name of them all that can be a file's.
    std::string Joined() const
    {
        char text[40];
        std::snprintf(text,
                      sizeof text,
                      "ns3ai-%016llx",
                      static_cast<unsigned long long>(bridge::detail::Hash(
                          segment + '\n' + cpp2py + '\n' + py2cpp + '\n' + lockable)));
        return text;
    }
};

/// A descriptor of the segment, and the link under which others find it, if there is one.
class FoundSegment
{
  public:
    FoundSegment(int fd, bool inherited, std::string link = "")
        : m_fd(fd),
          m_inherited(inherited),
          m_link(std::move(link))
    {
    }

    ~FoundSegment()
    {
        if (!m_link.empty() && m_pid == ::getpid())
        {
            ::unlink(m_link.c_str());
        }
        if (m_fd >= 0)
        {
            ::close(m_fd);
        }
    }

    FoundSegment(const FoundSegment&) = delete;
    FoundSegment& operator=(const FoundSegment&) = delete;

    int Fd() const
    {
        return m_fd;
    }

    /// \return whether the other half started this program.
    bool Inherited() const
    {
        return m_inherited;
    }

  private:
    int m_fd;
    bool m_inherited;
    std::string m_link;
    pid_t m_pid = ::getpid();
};

/// Takes the descriptor that Experiment made, or makes a segment that is found by its names.
inline FoundSegment CreateSegment(const Names& names)
{
    if (const char* text = std::getenv("COSIM_NS3AI_CREATE_FD"))
    {
        const int fd = ::fcntl(std::atoi(text), F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
        {
            throw bridge::BridgeError(std::string("COSIM_NS3AI_CREATE_FD='") + text +
                                      "' is no descriptor");
        }
        return {fd, true};
    }
    const std::string link = bridge::LinkOf(names.Joined());
    if (::access(link.c_str(), F_OK) == 0) // it follows the link: a living process holds the end
    {
        throw bridge::BridgeError("ns3-ai: another process uses memory with the names '" +
                                  names.segment + "', '" + names.cpp2py + "', '" + names.py2cpp +
                                  "': start the program with Experiment, which needs no names, or "
                                  "choose others");
    }
    const int fd = ::memfd_create("cosim-ns3ai", MFD_CLOEXEC);
    if (fd < 0)
    {
        throw bridge::BridgeError(std::string("ns3-ai: memfd_create: ") + std::strerror(errno));
    }
    ::unlink(link.c_str());
    const std::string target = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd);
    if (::symlink(target.c_str(), link.c_str()) != 0)
    {
        const std::string reason = std::strerror(errno);
        ::close(fd);
        throw bridge::BridgeError("ns3-ai: cannot make " + link + ": " + reason);
    }
    return {fd, false, link};
}

/// Opens what the other half has made.
inline FoundSegment OpenSegment(const Names& names)
{
    if (std::getenv("COSIM_BRIDGE_FD") != nullptr || std::getenv("COSIM_BRIDGE_PATH") != nullptr)
    {
        const int fd = bridge::OpenFromEnvironment();
        const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 3); // the inherited one stays as it is
        if (own < 0)
        {
            throw bridge::BridgeError("ns3-ai: the descriptor " + std::to_string(fd) +
                                      " is not open");
        }
        return {own, true};
    }
    try
    {
        return {bridge::OpenByName(names.Joined()), false};
    }
    catch (const bridge::BridgeError&)
    {
        throw bridge::BridgeError(
            "ns3-ai: nobody made memory with the names '" + names.segment + "', '" + names.cpp2py +
            "', '" + names.py2cpp + "': start this program from Python with " +
            "ns3ai_utils.Experiment, or construct the Python half's interface first");
    }
}

} // namespace cosim::ns3ai

#endif // COSIM_NS3AI_FIND_SEGMENT_HPP
