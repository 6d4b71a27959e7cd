// SPDX-License-Identifier: GPL-2.0-only
#include "nr-semantic-scheduler.h"

#include "nr-assignment.h"

#include "ns3/uinteger.h"

#include <algorithm>
#include <numeric>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrSemanticScheduler);

TypeId NrSemanticScheduler::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrSemanticScheduler")
            .SetParent<NrScheduler>()
            .SetGroupName("Cosim")
            .AddConstructor<NrSemanticScheduler>()
            .AddAttribute("ExactLimit",
                          "UEs with data up to which the assignment is exact",
                          UintegerValue(16),
                          MakeUintegerAccessor(&NrSemanticScheduler::m_exactLimit),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("MaxGroups",
                          "Groups of PRBs at most; more UEs than that compete for them",
                          UintegerValue(16),
                          MakeUintegerAccessor(&NrSemanticScheduler::m_maxGroups),
                          MakeUintegerChecker<uint32_t>(1, 275));
    return tid;
}

uint32_t NrSemanticScheduler::GetGroups(std::size_t candidates) const
{
    return static_cast<uint32_t>(std::min<std::size_t>(candidates, m_maxGroups));
}

std::span<const std::size_t> NrSemanticScheduler::GetPlaces() const
{
    return m_places;
}

void NrSemanticScheduler::Share(std::span<const NrCandidate> candidates,
                                uint32_t prbs,
                                std::vector<uint32_t>& shares)
{
    m_places.resize(candidates.size());
    std::iota(m_places.begin(), m_places.end(), std::size_t{0});
    if (candidates.empty())
    {
        return;
    }
    const std::size_t groups = candidates[0].groupBytesPerPrb.size();
    // Rows must not be more than columns: places beyond the groups have the weight 0.
    const std::size_t rows = candidates.size();
    const std::size_t columns = std::max(groups, rows);
    std::vector<double> weights(rows * columns);
    for (std::size_t row = 0; row < rows; ++row)
    {
        for (std::size_t group = 0; group < groups; ++group)
        {
            weights[row * columns + group] =
                candidates[row].semanticValue * candidates[row].groupBytesPerPrb[group];
        }
    }
    const auto places = rows <= m_exactLimit ? NrAssignExactly(weights, rows, columns)
                                             : NrAssignGreedily(weights, rows, columns);
    std::stable_sort(m_places.begin(), m_places.end(), [&places](std::size_t a, std::size_t b) {
        return places[a] < places[b];
    });
    uint32_t left = prbs;
    for (std::size_t row = 0; row < rows; ++row)
    {
        const std::size_t group = places[row];
        if (group >= groups || candidates[row].semanticValue <= 0.0)
        {
            continue;
        }
        const auto size =
            static_cast<uint32_t>((group + 1) * prbs / groups - group * prbs / groups);
        shares[row] = std::min(NrScheduler::Wanted(candidates[row]), size);
        left -= shares[row];
    }
    std::vector<std::size_t> order(rows);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return NrScheduler::ProportionalFair(candidates[a]) >
               NrScheduler::ProportionalFair(candidates[b]);
    });
    for (const std::size_t i : order)
    {
        const uint32_t given = std::min(NrScheduler::Wanted(candidates[i]) - shares[i], left);
        shares[i] += given;
        left -= given;
    }
}

} // namespace ns3
