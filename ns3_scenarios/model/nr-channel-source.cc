// SPDX-License-Identifier: GPL-2.0-only
#include "nr-channel-source.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrChannelSource);

TypeId NrChannelSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrChannelSource").SetParent<Object>().SetGroupName("Cosim");
    return tid;
}

} // namespace ns3
