// SPDX-License-Identifier: GPL-2.0-only
#include "nr-harq-combining.h"

#include "ns3/boolean.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrHarqCombining);

namespace
{

/// Where redundancy versions begin in the circular buffer, as shares of it (TS 38.212 table
/// 5.4.2.1-2: multiples of the lifting size, of which the buffer has 66 and 50).
constexpr std::array<double, 4> START_GRAPH_1{0.0, 17.0 / 66.0, 33.0 / 66.0, 56.0 / 66.0};
constexpr std::array<double, 4> START_GRAPH_2{0.0, 13.0 / 50.0, 25.0 / 50.0, 43.0 / 50.0};

/// Rate of the whole buffer (TS 38.212 clause 5.3.2: 22 of 66 and 10 of 50).
constexpr double MOTHER_RATE_1 = 1.0 / 3.0;
constexpr double MOTHER_RATE_2 = 1.0 / 5.0;

} // namespace

TypeId NrHarqCombining::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrHarqCombining")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrHarqCombining>()
            .AddAttribute("IncrementalRedundancy",
                          "Retransmissions go through the redundancy versions 0, 2, 3, 1; if false "
                          "they repeat version 0 (chase combining)",
                          BooleanValue(true),
                          MakeBooleanAccessor(&NrHarqCombining::m_incremental),
                          MakeBooleanChecker());
    return tid;
}

uint8_t NrHarqCombining::GetRedundancyVersion(uint32_t transmission) const
{
    return m_incremental ? ORDER[(transmission - 1) % 4] : 0;
}

NrCombined NrHarqCombining::Combine(std::span<const float> sinr,
                                    double codeRate,
                                    uint32_t baseGraph) const
{
    const double all = std::accumulate(sinr.begin(), sinr.end(), 0.0);
    const double mother = baseGraph == 1 ? MOTHER_RATE_1 : MOTHER_RATE_2;
    const double part = mother / codeRate; // of the buffer, in a transmission
    if (!m_incremental || sinr.size() == 1 || part >= 1.0)
    {
        return {all, codeRate, all};
    }
    // Transmissions of the same version hold the same bits.
    std::array<double, 4> energy{};
    std::array<bool, 4> transmitted{};
    for (std::size_t i = 0; i < sinr.size(); ++i)
    {
        energy[ORDER[i % 4]] += sinr[i];
        transmitted[ORDER[i % 4]] = true;
    }
    const auto& start = baseGraph == 1 ? START_GRAPH_1 : START_GRAPH_2;
    std::array<double, 9> edges{};
    for (std::size_t version = 0; version < 4; ++version)
    {
        edges[2 * version] = start[version];
        edges[2 * version + 1] = std::fmod(start[version] + part, 1.0);
    }
    edges[8] = 1.0;
    std::sort(edges.begin(), edges.end());
    double information = 0.0;
    double sent = 0.0;
    for (std::size_t i = 0; i + 1 < edges.size(); ++i)
    {
        const double middle = 0.5 * (edges[i] + edges[i + 1]);
        double sum = 0.0;
        bool held = false;
        for (std::size_t version = 0; version < 4; ++version)
        {
            // The buffer is a circle.
            const double at = middle - start[version] + (middle < start[version] ? 1.0 : 0.0);
            if (at < part && transmitted[version])
            {
                sum += energy[version];
                held = true;
            }
        }
        sent += held ? edges[i + 1] - edges[i] : 0.0;
        information += (edges[i + 1] - edges[i]) * std::log1p(sum);
    }
    return {std::expm1(information / sent), mother / sent, all};
}

} // namespace ns3
