// SPDX-License-Identifier: GPL-2.0-only
#include "nr-packet-scheduler.h"

#include <algorithm>
#include <numeric>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrPacketScheduler);

TypeId NrPacketScheduler::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrPacketScheduler").SetParent<NrScheduler>().SetGroupName("Cosim");
    return tid;
}

bool NrPacketScheduler::WantsQueue() const
{
    return true;
}

bool NrPacketScheduler::Before(const Standing& a, const Standing& b)
{
    if (a.offer.key != b.offer.key)
    {
        return a.offer.key < b.offer.key;
    }
    if (a.offer.secondKey != b.offer.secondKey)
    {
        return a.offer.secondKey < b.offer.secondKey;
    }
    return a.candidate > b.candidate;
}

void NrPacketScheduler::Share(std::span<const NrCandidate> candidates,
                              uint32_t prbs,
                              std::vector<uint32_t>& shares)
{
    m_heap.clear();
    for (std::size_t i = 0; i < candidates.size(); ++i)
    {
        if (!candidates[i].queue.empty() && NrScheduler::Wanted(candidates[i]) > 0)
        {
            m_heap.push_back({i, 0, 0.0, GetOffer(candidates[i], 0)});
        }
    }
    std::make_heap(m_heap.begin(), m_heap.end(), Before);
    while (prbs > 0 && !m_heap.empty())
    {
        std::pop_heap(m_heap.begin(), m_heap.end(), Before);
        Standing& first = m_heap.back();
        const NrCandidate& candidate = candidates[first.candidate];
        for (std::size_t i = 0; i < first.offer.packets; ++i)
        {
            first.bytes += candidate.queue[first.from++].bytes;
        }
        uint32_t& share = shares[first.candidate];
        const double needed = std::ceil(first.bytes / candidate.bytesPerPrb);
        const auto total = static_cast<uint32_t>(
            std::min(needed, static_cast<double>(NrScheduler::Wanted(candidate))));
        const uint32_t given = std::min(total - share, prbs);
        share += given;
        prbs -= given;
        if (first.from == candidate.queue.size() || share == candidate.maxPrbs)
        {
            m_heap.pop_back();
            continue;
        }
        first.offer = GetOffer(candidate, first.from);
        std::push_heap(m_heap.begin(), m_heap.end(), Before);
    }
    if (prbs == 0)
    {
        return;
    }
    m_order.resize(candidates.size());
    std::iota(m_order.begin(), m_order.end(), std::size_t{0});
    std::stable_sort(m_order.begin(), m_order.end(), [&](std::size_t a, std::size_t b) {
        return NrScheduler::ProportionalFair(candidates[a]) >
               NrScheduler::ProportionalFair(candidates[b]);
    });
    for (const std::size_t i : m_order)
    {
        const uint32_t given = std::min(NrScheduler::Wanted(candidates[i]) - shares[i], prbs);
        shares[i] += given;
        prbs -= given;
    }
}

} // namespace ns3
