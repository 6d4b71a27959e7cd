// SPDX-License-Identifier: GPL-2.0-only
#include "nr-external-scheduler.h"

#include "ns3/boolean.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrExternalScheduler);

TypeId NrExternalScheduler::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrExternalScheduler")
            .SetParent<NrScheduler>()
            .SetGroupName("Cosim")
            .AddConstructor<NrExternalScheduler>()
            .AddAttribute("ByWeight",
                          "Ask for weights of a proportional fair scheduler instead of PRBs",
                          BooleanValue(false),
                          MakeBooleanAccessor(&NrExternalScheduler::m_byWeight),
                          MakeBooleanChecker())
            .AddAttribute("PeriodSlots",
                          "Slots of the direction from one question about weights to the next",
                          UintegerValue(1),
                          MakeUintegerAccessor(&NrExternalScheduler::m_periodSlots),
                          MakeUintegerChecker<uint32_t>(1));
    return tid;
}

void NrExternalScheduler::SetDecider(Decider decider)
{
    m_decider = std::move(decider);
}

bool NrExternalScheduler::WantsQueue() const
{
    return true;
}

void NrExternalScheduler::SetCell(uint32_t cell, bool uplink)
{
    m_cell = cell;
    m_uplink = uplink;
}

std::size_t NrExternalScheduler::Find(std::span<const NrCandidate> candidates,
                                      const Decision& decision)
{
    const auto found = std::lower_bound(
        candidates.begin(), candidates.end(), decision.ue, [](const NrCandidate& one, uint32_t ue) {
            return one.ue < ue;
        });
    if (found == candidates.end() || found->ue != decision.ue)
    {
        throw std::runtime_error("the scheduler decided about UE " + std::to_string(decision.ue) +
                                 ", which it was not asked about");
    }
    return static_cast<std::size_t>(found - candidates.begin());
}

void NrExternalScheduler::Share(std::span<const NrCandidate> candidates,
                                uint32_t prbs,
                                std::vector<uint32_t>& shares)
{
    const bool due = !m_byWeight || m_slot % m_periodSlots == 0;
    ++m_slot;
    if (candidates.empty() || prbs == 0)
    {
        return;
    }
    std::vector<Decision> decisions;
    if (due)
    {
        decisions = m_decider(m_cell, m_uplink, candidates, prbs);
    }
    if (!m_byWeight)
    {
        uint64_t sum = 0;
        for (const Decision& decision : decisions)
        {
            sum += decision.prbs;
            const std::size_t at = Find(candidates, decision);
            shares[at] = std::min(decision.prbs, NrScheduler::Wanted(candidates[at]));
        }
        if (sum > prbs)
        {
            throw std::runtime_error("the scheduler gave " + std::to_string(sum) + " PRBs of " +
                                     std::to_string(prbs));
        }
        return;
    }
    for (const Decision& decision : decisions)
    {
        Find(candidates, decision);
        if (!(decision.weight >= 0.0) || !std::isfinite(decision.weight))
        {
            throw std::runtime_error("the scheduler gave UE " + std::to_string(decision.ue) +
                                     " a weight of " + std::to_string(decision.weight));
        }
        m_weights[decision.ue] = decision.weight;
    }
    m_order.clear();
    for (std::size_t i = 0; i < candidates.size(); ++i)
    {
        const auto found = m_weights.find(candidates[i].ue);
        const double weight = found == m_weights.end() ? 1.0 : found->second;
        m_order.emplace_back(-weight * NrScheduler::ProportionalFair(candidates[i]), i);
    }
    std::sort(m_order.begin(), m_order.end());
    for (const auto& [metric, i] : m_order)
    {
        shares[i] = std::min(NrScheduler::Wanted(candidates[i]), prbs);
        prbs -= shares[i];
    }
}

} // namespace ns3
