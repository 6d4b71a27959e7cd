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

} // namespace ns3
