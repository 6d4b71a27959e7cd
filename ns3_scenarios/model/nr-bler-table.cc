// SPDX-License-Identifier: GPL-2.0-only
#include "nr-bler-table.h"

#include "nr-tbs.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ns3
{

namespace
{
constexpr double LEAST = 1e-9; //!< a rate of 0 in a table means "less than could be measured"
} // namespace

NrBlerTable::NrBlerTable(std::span<const float> cbsBits,
                         std::span<const float> snrDb,
                         std::span<const float> bler)
    : m_cbsBits(cbsBits.begin(), cbsBits.end()),
      m_firstDb(snrDb.empty() ? 0.0 : snrDb[0]),
      m_stepDb(snrDb.size() > 1 ? (snrDb.back() - snrDb.front()) / (double(snrDb.size()) - 1) : 0),
      m_points(snrDb.size())
{
    const std::size_t row = m_points * m_cbsBits.size();
    if (m_points < 2 || m_cbsBits.empty() || m_stepDb <= 0 || bler.empty() ||
        bler.size() % row != 0)
    {
        throw std::invalid_argument("a block error table needs sizes, an ascending SINR grid and "
                                    "rates for all of them");
    }
    m_logBler.reserve(bler.size());
    for (const float rate : bler)
    {
        m_logBler.push_back(static_cast<float>(std::log10(std::clamp(double(rate), LEAST, 1.0))));
    }
    const std::size_t count = bler.size() / row;
    m_source.resize(count);
    std::size_t next = count;
    for (std::size_t mcs = count; mcs-- > 0;)
    {
        if (std::none_of(bler.begin() + static_cast<long>(mcs * row),
                         bler.begin() + static_cast<long>((mcs + 1) * row),
                         [](float rate) { return std::isnan(rate); }))
        {
            next = mcs;
        }
        if (next == count)
        {
            throw std::invalid_argument("a block error table needs rates for its highest MCS");
        }
        m_source[mcs] = static_cast<uint8_t>(next);
    }
}

bool NrBlerTable::IsAvailable(uint8_t mcs) const
{
    return m_source.at(mcs) == mcs;
}

double NrBlerTable::Row(std::size_t mcs, std::size_t size, double snrDb) const
{
    const float* row = m_logBler.data() + (mcs * m_cbsBits.size() + size) * m_points;
    const double at = (snrDb - m_firstDb) / m_stepDb;
    if (!(at > 0.0))
    {
        return std::pow(10.0, row[0]);
    }
    if (at >= double(m_points - 1))
    {
        return std::pow(10.0, row[m_points - 1]);
    }
    const auto left = static_cast<std::size_t>(at);
    const double weight = at - double(left);
    return std::pow(10.0, (1.0 - weight) * row[left] + weight * row[left + 1]);
}

double NrBlerTable::GetCodeBlockBler(uint8_t mcs, double cbsBits, double snrDb) const
{
    const std::size_t source = m_source.at(mcs);
    const auto above = std::upper_bound(m_cbsBits.begin(), m_cbsBits.end(), cbsBits);
    if (above == m_cbsBits.begin())
    {
        return Row(source, 0, snrDb);
    }
    const auto lower = static_cast<std::size_t>(above - m_cbsBits.begin()) - 1;
    if (above == m_cbsBits.end())
    {
        return Row(source, lower, snrDb);
    }
    const double weight = std::log2(cbsBits / m_cbsBits[lower]) /
                          std::log2(double(m_cbsBits[lower + 1]) / m_cbsBits[lower]);
    return (1.0 - weight) * Row(source, lower, snrDb) + weight * Row(source, lower + 1, snrDb);
}

double NrBlerTable::GetTransportBlockBler(uint8_t mcs,
                                          uint32_t tbsBits,
                                          double codeRate,
                                          double snrDb) const
{
    const auto segments = NrSegment(tbsBits, codeRate);
    const double one = GetCodeBlockBler(mcs, segments.codeBlockBits, snrDb);
    // 1 - (1 - b)^C without losing a small b
    return one >= 1.0 ? 1.0 : -std::expm1(segments.codeBlocks * std::log1p(-one));
}

double NrBlerTable::SnrForBler(uint8_t mcs, double cbsBits, double target) const
{
    double low = m_firstDb;
    double high = m_firstDb + m_stepDb * double(m_points - 1);
    if (GetCodeBlockBler(mcs, cbsBits, low) <= target)
    {
        return low;
    }
    // The curves fall, so halving finds the crossing; a thousandth of a dB is enough.
    while (high - low > 1e-3)
    {
        const double middle = 0.5 * (low + high);
        (GetCodeBlockBler(mcs, cbsBits, middle) <= target ? high : low) = middle;
    }
    return high;
}

} // namespace ns3
