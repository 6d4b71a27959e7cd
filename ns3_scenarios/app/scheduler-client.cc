// SPDX-License-Identifier: GPL-2.0-only
#include "scheduler-client.h"

#include "ns3/simulator.h"

namespace ns3
{

SchedulerClient::SchedulerClient(Exchange& exchange)
    : m_exchange(exchange)
{
}

void SchedulerClient::Serve(NrRan& ran)
{
    for (uint32_t cell = 0; cell < ran.GetCells(); ++cell)
    {
        for (const bool uplink : {false, true})
        {
            if (auto external = DynamicCast<NrExternalScheduler>(ran.GetScheduler(cell, uplink)))
            {
                external->SetDecider(
                    [this](uint32_t of,
                           bool direction,
                           std::span<const NrCandidate> candidates,
                           uint32_t prbs) { return Ask(of, direction, candidates, prbs); });
            }
        }
    }
}

std::vector<NrExternalScheduler::Decision> SchedulerClient::Ask(
    uint32_t cell, bool uplink, std::span<const NrCandidate> candidates, uint32_t prbs)
{
    const double now = Simulator::Now().GetSeconds();
    for (const NrCandidate& candidate : candidates)
    {
        auto& record = m_exchange.Append();
        record.t_s = now;
        record.cell = cell;
        record.direction = uplink;
        record.prbs = prbs;
        record.ue = candidate.ue;
        record.demand_bytes = candidate.demandBytes;
        record.bytes_per_prb = candidate.bytesPerPrb;
        record.average_bytes = candidate.averageRate;
        record.max_prbs = candidate.maxPrbs;
        record.priority = candidate.priority;
        record.layers = candidate.layers;
        record.head_delay_s = candidate.headDelayS;
        record.head_budget_s = candidate.headBudgetS;
        record.delay_budget_s = candidate.delayBudgetS;
        record.loss_target = candidate.lossTarget;
        record.semantic_value = candidate.semanticValue;
        if (!candidate.queue.empty())
        {
            const NrQueueItem& head = candidate.queue.front();
            record.head_importance = head.importance;
            record.head_utility = head.utility;
            record.head_bytes = head.bytes;
            record.head_message = head.messageId;
        }
    }
    std::vector<NrExternalScheduler::Decision> decisions;
    for (const auto& answer : m_exchange.Call())
    {
        decisions.push_back({answer.ue, answer.prbs, answer.weight});
    }
    return decisions;
}

} // namespace ns3
