// SPDX-License-Identifier: GPL-2.0-only
#include "nr-rr-scheduler.h"

#include <algorithm>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrRrScheduler);

TypeId NrRrScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrRrScheduler")
                            .SetParent<NrScheduler>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrRrScheduler>();
    return tid;
}

void NrRrScheduler::Share(std::span<const NrCandidate> candidates,
                          uint32_t prbs,
                          std::vector<uint32_t>& shares)
{
    const std::size_t count = candidates.size();
    std::size_t first = 0;
    while (first < count && candidates[first].ue < m_next)
    {
        ++first;
    }
    uint32_t left = prbs;
    uint32_t open = 0;
    for (const auto& candidate : candidates)
    {
        open += NrScheduler::Wanted(candidate) > 0;
    }
    // Equal shares of what is left, again for those who want more, until nobody does; then single
    // PRBs.
    while (left > 0 && open > 0)
    {
        const uint32_t each = std::max(left / open, 1U);
        for (std::size_t i = 0; i < count && left > 0; ++i)
        {
            const std::size_t at = (first + i) % count;
            const uint32_t wanted = NrScheduler::Wanted(candidates[at]) - shares[at];
            if (wanted == 0)
            {
                continue;
            }
            const uint32_t given = std::min({wanted, each, left});
            shares[at] += given;
            left -= given;
            open -= given == wanted;
            if (each == 1)
            {
                m_next = candidates[at].ue + 1;
            }
        }
    }
}

} // namespace ns3
