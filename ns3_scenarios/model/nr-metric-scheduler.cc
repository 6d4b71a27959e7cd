// SPDX-License-Identifier: GPL-2.0-only
#include "nr-metric-scheduler.h"

#include <algorithm>
#include <numeric>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrMetricScheduler);

TypeId NrMetricScheduler::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrMetricScheduler").SetParent<NrScheduler>().SetGroupName("Cosim");
    return tid;
}

void NrMetricScheduler::Share(std::span<const NrCandidate> candidates,
                              uint32_t prbs,
                              std::vector<uint32_t>& shares)
{
    m_order.resize(candidates.size());
    std::iota(m_order.begin(), m_order.end(), std::size_t{0});
    m_metric.resize(candidates.size());
    std::transform(candidates.begin(),
                   candidates.end(),
                   m_metric.begin(),
                   [this](const NrCandidate& candidate) { return GetMetric(candidate); });
    std::stable_sort(m_order.begin(), m_order.end(), [this](std::size_t a, std::size_t b) {
        return m_metric[a] > m_metric[b];
    });
    for (const std::size_t i : m_order)
    {
        shares[i] = std::min(NrScheduler::Wanted(candidates[i]), prbs);
        prbs -= shares[i];
    }
}

} // namespace ns3
