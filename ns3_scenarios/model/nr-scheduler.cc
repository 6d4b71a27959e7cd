// SPDX-License-Identifier: GPL-2.0-only
#include "nr-scheduler.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrScheduler);

TypeId NrScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrScheduler").SetParent<Object>().SetGroupName("Cosim");
    return tid;
}

bool NrScheduler::WantsQueue() const
{
    return false;
}

uint32_t NrScheduler::GetGroups(std::size_t) const
{
    return 0;
}

std::span<const std::size_t> NrScheduler::GetPlaces() const
{
    return {};
}

void NrScheduler::SetCell(uint32_t, bool) {}

uint32_t NrScheduler::Wanted(const NrCandidate& candidate)
{
    if (candidate.bytesPerPrb <= 0.0)
    {
        return 0;
    }
    const double prbs =
        std::ceil(static_cast<double>(candidate.demandBytes) / candidate.bytesPerPrb);
    return static_cast<uint32_t>(std::min(prbs, static_cast<double>(candidate.maxPrbs)));
}

double NrScheduler::ProportionalFair(const NrCandidate& candidate)
{
    return candidate.bytesPerPrb / std::max(candidate.averageRate, 1e-9);
}

} // namespace ns3
