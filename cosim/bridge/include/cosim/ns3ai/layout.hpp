// SPDX-License-Identifier: MIT
/**
 * \file
 * What lies where in a segment of the ns3-ai interface: the bridge's header (sides, doorbells),
 * this page, then one area a direction. Areas are address space; memory is taken as vectors grow.
 */
#ifndef COSIM_NS3AI_LAYOUT_HPP
#define COSIM_NS3AI_LAYOUT_HPP

#include "cosim/bridge/layout.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cosim::ns3ai
{

inline constexpr std::uint64_t kMagic = 0x31494133534e4243ULL; // "CBNS3AI1" read as bytes

/// Whose turn it is in one direction: a message is under way while the two counts differ.
struct Turn
{
    alignas(bridge::kCacheLine) std::atomic<std::uint32_t> sent;
    alignas(bridge::kCacheLine) std::atomic<std::uint32_t> received;
};

/// Zero at the start of each run of the ns-3 program.
struct Turns
{
    Turn cpp2py;
    Turn py2cpp;
    alignas(bridge::kCacheLine) std::atomic<std::uint32_t> finished; ///< Python has seen the end
};

/// One direction's memory.
struct Area
{
    std::uint64_t offset;       ///< from the segment's start, in bytes
    std::uint64_t elementBytes; ///< of the struct; both sides were compiled with the same one
    std::uint64_t count;        ///< elements of the vector
    std::uint64_t taken;        ///< bytes of memory behind the address space
};

struct Control
{
    std::atomic<std::uint64_t> magic; ///< 0 until the rest is there
    std::uint64_t areaBytes;          ///< address space of each area
    std::uint64_t useVector;
    Area cpp2py;
    Area py2cpp;
    Turns turns;
};

inline constexpr std::size_t kControlOffset =
    bridge::AlignUp(sizeof(bridge::SegmentHeader), bridge::kPage);
inline constexpr std::size_t kAreasOffset =
    kControlOffset + bridge::AlignUp(sizeof(Control), bridge::kPage);

} // namespace cosim::ns3ai

#endif // COSIM_NS3AI_LAYOUT_HPP
