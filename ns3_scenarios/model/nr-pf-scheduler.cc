// SPDX-License-Identifier: GPL-2.0-only
#include "nr-pf-scheduler.h"

#include <algorithm>
#include <numeric>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrPfScheduler);

TypeId NrPfScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrPfScheduler")
                            .SetParent<NrScheduler>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrPfScheduler>();
    return tid;
}

void NrPfScheduler::Share(std::span<const NrCandidate> candidates,
                          uint32_t prbs,
                          std::vector<uint32_t>& shares)
{
    m_order.resize(candidates.size());
    std::iota(m_order.begin(), m_order.end(), std::size_t{0});
    const auto metric = [&candidates](std::size_t i) {
        // A UE that was never served has an average of 0 and comes first.
        return candidates[i].bytesPerPrb / std::max(candidates[i].averageRate, 1e-9);
    };
    std::stable_sort(m_order.begin(), m_order.end(), [&metric](std::size_t a, std::size_t b) {
        return metric(a) > metric(b);
    });
    for (const std::size_t i : m_order)
    {
        shares[i] = std::min(NrScheduler::Wanted(candidates[i]), prbs);
        prbs -= shares[i];
    }
}

} // namespace ns3
