// SPDX-License-Identifier: GPL-2.0-only
#include "nr-simulation.h"

#include "ns3/bulk-send-application.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/inet-socket-address.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/ipv4-list-routing-helper.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/mobility-helper.h"
#include "ns3/object-factory.h"
#include "ns3/packet-sink.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/tcp-header.h"
#include "ns3/tcp-l4-protocol.h"
#include "ns3/tcp-socket-factory.h"
#include "ns3/traffic-control-helper.h"
#include "ns3/uinteger.h"
#include "ns3/virtual-net-device.h"
#include "ns3/waypoint-mobility-model.h"

#include <cmath>
#include <sstream>

namespace ns3
{

namespace
{

/// UEs' addresses: 7.0.0.2 and on, out of 2^24.
constexpr uint32_t UE_NETWORK = 0x07000000;
constexpr uint32_t UPF_HOST = 1;

/// GTP-U, UDP and IP on the way to a gNB, which a UE's packets must leave room for.
constexpr uint16_t TUNNEL_HEADER_BYTES = 8 + 8 + 20;

/// \return the static routing of a node
Ptr<Ipv4StaticRouting> StaticRouting(Ptr<Node> node)
{
    return Ipv4StaticRoutingHelper().GetStaticRouting(node->GetObject<Ipv4>());
}

/// Places a node.
void Place(Ptr<Node> node, const Vector& position)
{
    auto mobility = CreateObject<ConstantPositionMobilityModel>();
    mobility->SetPosition(position);
    node->AggregateObject(mobility);
}

/// Places a UE, or lets it follow its way.
void Place(Ptr<Node> node, const SetupUe& ue)
{
    if (ue.waypoints.empty())
    {
        Place(node, ue.position);
        return;
    }
    auto mobility = CreateObject<WaypointMobilityModel>();
    mobility->AddWaypoint(Waypoint(Time(0), ue.position));
    for (const auto& [time, position] : ue.waypoints)
    {
        mobility->AddWaypoint(Waypoint(time, position));
    }
    node->AggregateObject(mobility);
}

/// Adds an interface with an address. \return its number
uint32_t AddInterface(Ptr<Node> node, Ptr<NetDevice> device, Ipv4Address address, Ipv4Mask mask)
{
    auto ipv4 = node->GetObject<Ipv4>();
    const uint32_t interface = ipv4->AddInterface(device);
    ipv4->AddAddress(interface, Ipv4InterfaceAddress(address, mask));
    ipv4->SetUp(interface);
    return interface;
}

} // namespace

NrSimulation::NrSimulation(const SimulationSetup& setup,
                           const std::vector<NrBandwidthPart>& parts,
                           Ptr<NrTraceSink> sink)
    : m_setup(setup),
      m_packets(std::make_shared<uint64_t>(0)),
      m_upf(CreateObject<NrUpf>())
{
    double bandwidth = 0.0;
    for (const auto& part : parts)
    {
        bandwidth += part.carrier->GetPrbs() * part.carrier->GetPrbBandwidth();
    }
    for (const auto& part : parts)
    {
        // A cell's power is spread evenly over all that it may send in.
        const double share = part.carrier->GetPrbs() * part.carrier->GetPrbBandwidth() / bandwidth;
        BuildPart(part, share, sink);
    }
    BuildCore();
    BuildUes();
    m_tcpData.assign(parts.size(), std::vector<std::array<uint64_t, 2>>(m_ues.GetN()));
    m_tcpHeaders = m_tcpData;
    for (auto& flow : m_setup.flows)
    {
        // The air ends then; a source without an end would keep the simulation alive for ever.
        flow.stop = std::min(flow.stop, m_setup.duration);
        BuildFlow(flow);
    }
    // The slot event belongs to no node; what it delivers goes on at the node that receives it.
    for (const auto& ran : m_parts)
    {
        ran->SetDelivery(
            [this](uint32_t ue, Ptr<Packet> packet) {
                Simulator::ScheduleWithContext(m_ues.Get(ue)->GetId(), Time(0), [this, ue, packet] {
                    m_devices[ue]->ReceiveDownlink(packet);
                });
            },
            [this, ran = PeekPointer(ran)](uint32_t ue, Ptr<Packet> packet) {
                // Given up by PDCP's reordering while no cell serves the UE: the last one had it.
                uint32_t& cell = m_uplinkCell[ue];
                cell = ran->GetCell(ue) == NrRan::NO_CELL ? cell : ran->GetCell(ue);
                Simulator::ScheduleWithContext(
                    m_gnbs.Get(cell)->GetId(), Time(0), [this, ue, at = cell, packet] {
                        m_upf->SendUplink(ue, at, packet);
                    });
            });
    }
    m_parts[0]->SetHandoverCallbacks(
        [this](uint32_t ue, uint32_t target) { m_upf->SetServing(ue, target); },
        [this](uint32_t ue, uint32_t cell) { m_upf->SetCell(ue, cell); });
}

void NrSimulation::BuildPart(const NrBandwidthPart& part, double share, Ptr<NrTraceSink> sink)
{
    const auto cells = static_cast<uint32_t>(m_setup.cells.size());
    const auto number = static_cast<uint32_t>(m_parts.size());
    auto ran = CreateObject<NrRan>();
    DoubleValue power;
    ran->GetAttribute("GnbTxPower", power);
    ran->SetAttribute("GnbTxPower", DoubleValue(power.Get() + 10.0 * std::log10(share)));
    ran->SetNumbers(number * cells, m_packets);
    ran->Configure(part.carrier, part.phy, part.channel, sink, cells);
    // Traffic models have their streams from 2^20 on.
    ran->AssignStreams(number == 0 ? 0 : (int64_t{1} << 19) + number);
    if (number > 0)
    {
        ran->Follow(m_parts[0]);
    }
    m_parts.push_back(ran);
}

void NrSimulation::Enqueue(uint32_t ue, bool uplink, Ptr<Packet> packet)
{
    NrRan* at = PeekPointer(m_parts[0]);
    if (m_parts.size() > 1)
    {
        const NrPacketHead head = NrPacketHead::Read(*packet);
        for (const auto& part : m_parts)
        {
            if (part->GetLink(ue, uplink)->HasFlowFor(head))
            {
                at = PeekPointer(part);
                break;
            }
        }
    }
    at->Enqueue(ue, uplink, packet);
}

void NrSimulation::BuildCore()
{
    m_edge = CreateObject<Node>();
    m_upfNode = CreateObject<Node>();
    m_gnbs.Create(static_cast<uint32_t>(m_setup.cells.size()));
    m_ues.Create(static_cast<uint32_t>(m_setup.ues.size()));
    // Static routes only: nothing has to be found out, and nothing else speaks on the links.
    Ipv4StaticRoutingHelper routing;
    InternetStackHelper internet;
    internet.SetRoutingHelper(routing);
    internet.SetIpv6StackInstall(false);
    internet.Install(m_edge);
    internet.Install(m_upfNode);
    internet.Install(m_gnbs);
    internet.Install(m_ues);

    PointToPointHelper link;
    link.SetDeviceAttribute("DataRate", DataRateValue(m_setup.backhaulRate));
    link.SetChannelAttribute("Delay", TimeValue(m_setup.backhaulDelay));
    // The radio is what may lose packets here; the backhaul delays them.
    link.SetQueue("ns3::DropTailQueue<Packet>", "MaxSize", QueueSizeValue(QueueSize("1000000p")));
    auto devices = link.Install(m_edge, m_upfNode);
    for (uint32_t i = 0; i < 2; ++i)
    {
        devices.Get(i)->SetMtu(m_setup.backhaulMtu);
    }
    Ipv4AddressHelper addresses("10.0.0.0", "255.255.255.252");
    const auto edge = addresses.Assign(devices);
    TrafficControlHelper::Default().Uninstall(devices);
    m_edgeAddress = edge.GetAddress(0);
    StaticRouting(m_edge)->SetDefaultRoute(edge.GetAddress(1), edge.Get(0).second);

    auto tunnel = CreateObject<VirtualNetDevice>();
    tunnel->SetAddress(Mac48Address::Allocate());
    tunnel->SetNeedsArp(false);
    tunnel->SetIsPointToPoint(true);
    tunnel->SetMtu(m_setup.backhaulMtu);
    m_upfNode->AddDevice(tunnel);
    AddInterface(m_upfNode, tunnel, Ipv4Address(UE_NETWORK + UPF_HOST), Ipv4Mask("255.0.0.0"));
    m_upf->Configure(
        m_upfNode, tunnel, [this](uint32_t ue, Ptr<Packet> packet) { Enqueue(ue, false, packet); });

    PointToPointHelper fronthaul;
    // UPF and gNB are close together: the scenario's backhaul lies between edge server and UPF.
    fronthaul.SetDeviceAttribute("DataRate", StringValue("100Gbps"));
    fronthaul.SetChannelAttribute("Delay", TimeValue(Seconds(0)));
    fronthaul.SetQueue(
        "ns3::DropTailQueue<Packet>", "MaxSize", QueueSizeValue(QueueSize("1000000p")));
    addresses.SetBase("10.1.0.0", "255.255.255.252");
    for (uint32_t cell = 0; cell < m_gnbs.GetN(); ++cell)
    {
        Place(m_gnbs.Get(cell), m_setup.cells[cell]);
        auto ends = fronthaul.Install(m_upfNode, m_gnbs.Get(cell));
        for (uint32_t i = 0; i < 2; ++i)
        {
            ends.Get(i)->SetMtu(m_setup.backhaulMtu + TUNNEL_HEADER_BYTES);
        }
        const auto interfaces = addresses.Assign(ends);
        TrafficControlHelper::Default().Uninstall(ends);
        addresses.NewNetwork();
        m_upf->AddGnb(m_gnbs.Get(cell), interfaces.GetAddress(1), interfaces.GetAddress(0));
    }
}

void NrSimulation::BuildUes()
{
    for (uint32_t number = 0; number < m_ues.GetN(); ++number)
    {
        const auto& ue = m_setup.ues[number];
        Ptr<Node> node = m_ues.Get(number);
        Place(node, ue);
        for (const auto& part : m_parts)
        {
            part->AddUe(ue.cell);
        }
        m_uplinkCell.push_back(ue.cell);
        auto device = CreateObject<NrUeNetDevice>();
        device->SetAddress(Mac48Address::Allocate());
        device->SetNode(node);
        device->SetMtu(m_setup.backhaulMtu);
        device->SetUplink([this, number](Ptr<Packet> packet) { Enqueue(number, true, packet); });
        node->AddDevice(device);
        const Ipv4Address address(UE_NETWORK + UPF_HOST + 1 + number);
        const uint32_t interface = AddInterface(node, device, address, Ipv4Mask("255.0.0.0"));
        StaticRouting(node)->SetDefaultRoute(Ipv4Address(UE_NETWORK + UPF_HOST), interface);
        m_devices.push_back(device);
        m_addresses.push_back(address);
        m_upf->AddUe(number, address, ue.cell);
    }
}

void NrSimulation::BuildFlow(const SetupFlow& flow)
{
    m_parts.at(flow.radio.part)->AddFlow(flow.radio);
    const bool uplink = flow.radio.uplink;
    Ptr<Node> ue = m_ues.Get(flow.radio.ue);
    if (flow.tcp)
    {
        // Acknowledgements have a bearer in the other direction, with the same priority.
        NrFlowConfig back = flow.radio;
        back.uplink = !uplink;
        back.filter = {NrPacketFilter::Kind::FROM, flow.port};
        m_parts[flow.radio.part]->AddFlow(back);
        m_tcpPart[flow.port] = flow.radio.part;
        BuildTcp(&flow);
        return;
    }
    auto app = CreateObject<MessageApp>();
    const SetupFlow* kept = nullptr;
    for (const auto& other : m_setup.flows)
    {
        if (other.radio.flow == flow.radio.flow)
        {
            kept = &other; // in our own copy of the setup, which does not move
        }
    }
    app->Configure(uplink ? ue : m_edge,
                   uplink ? m_edge : ue,
                   uplink ? m_edgeAddress : m_addresses[flow.radio.ue],
                   flow.port,
                   flow.dscp,
                   [this, kept](const std::vector<uint8_t>& data) {
                       if (m_delivery)
                       {
                           m_delivery(*kept, data);
                       }
                   });
    m_apps[flow.radio.flow] = app;
    if (!flow.source.empty())
    {
        BuildSource(kept);
    }
    else if (flow.background)
    {
        Simulator::Schedule(flow.start, &NrSimulation::SendBackground, this, kept);
    }
}

void NrSimulation::BuildSource(const SetupFlow* flow)
{
    const auto open = flow->source.find('[');
    TypeId type;
    const bool known = TypeId::LookupByNameFailSafe(flow->source.substr(0, open), &type);
    if (!known || !type.IsChildOf(NrTrafficSource::GetTypeId()))
    {
        throw SetupError("flow " + std::to_string(flow->radio.flow) + ": '" + flow->source +
                         "' is no traffic model");
    }
    std::istringstream text(flow->source);
    ObjectFactory factory;
    text >> factory;
    auto source = factory.Create<NrTrafficSource>();
    const uint32_t number = flow->radio.flow;
    // Streams from 2^20 on: those below belong to what there is one of.
    source->AssignStreams((int64_t{1} << 20) + number);
    source->Configure(
        number,
        [this,
         number](uint32_t bytes, uint64_t message, double importance, double share, Time deadline) {
            const std::vector<uint8_t> payload(bytes);
            NrMessageTag tag;
            tag.m_messageId = message;
            tag.m_importance = importance;
            tag.m_share = share;
            tag.m_deadline = deadline;
            m_apps[number]->Send(payload.data(), bytes, tag);
        },
        flow->start,
        flow->stop);
    const uint32_t ue = flow->radio.ue;
    const bool uplink = flow->radio.uplink;
    const auto link = m_parts[flow->radio.part]->GetLink(ue, uplink);
    source->SetBacklog([link = PeekPointer(link)] { return link->GetDemandBytes(); },
                       uplink ? Time(0) : m_setup.backhaulDelay + MilliSeconds(1));
    m_sources.push_back(source);
}

void NrSimulation::BuildTcp(const SetupFlow* flow)
{
    const bool uplink = flow->radio.uplink;
    Ptr<Node> ue = m_ues.Get(flow->radio.ue);
    Ptr<Node> from = uplink ? ue : m_edge;
    Ptr<Node> to = uplink ? m_edge : ue;
    const InetSocketAddress address(uplink ? m_edgeAddress : m_addresses[flow->radio.ue],
                                    flow->port);
    auto sink = CreateObject<PacketSink>();
    sink->SetAttribute("Protocol", TypeIdValue(TcpSocketFactory::GetTypeId()));
    sink->SetAttribute("Local", AddressValue(InetSocketAddress(Ipv4Address::GetAny(), flow->port)));
    to->AddApplication(sink);
    auto bulk = CreateObject<BulkSendApplication>();
    bulk->SetAttribute("Protocol", TypeIdValue(TcpSocketFactory::GetTypeId()));
    bulk->SetAttribute("Remote", AddressValue(address));
    bulk->SetAttribute("SendSize", UintegerValue(1400));
    bulk->SetAttribute("Tos", UintegerValue(flow->dscp << 2U));
    bulk->SetStartTime(flow->start);
    bulk->SetStopTime(std::min(flow->stop, m_setup.duration));
    from->AddApplication(bulk);
    if (!m_tcp)
    {
        m_tcp = true;
        NodeContainer ends(m_edge);
        ends.Add(m_ues);
        for (uint32_t i = 0; i < ends.GetN(); ++i)
        {
            ends.Get(i)->GetObject<Ipv4L3Protocol>()->TraceConnectWithoutContext(
                "LocalDeliver", MakeCallback(&NrSimulation::OnLocalDeliver, this));
        }
        for (uint32_t i = 0; i < m_addresses.size(); ++i)
        {
            m_ueOf[m_addresses[i].Get()] = i;
        }
    }
}

void NrSimulation::OnLocalDeliver(const Ipv4Header& header,
                                  Ptr<const Packet> packet,
                                  uint32_t interface)
{
    (void)interface;
    if (header.GetProtocol() != TcpL4Protocol::PROT_NUMBER)
    {
        return;
    }
    TcpHeader tcp;
    packet->PeekHeader(tcp);
    const auto down = m_ueOf.find(header.GetDestination().Get());
    const bool uplink = down == m_ueOf.end();
    const uint32_t ue = uplink ? m_ueOf.at(header.GetSource().Get()) : down->second;
    const uint32_t headers = tcp.GetSerializedSize();
    const auto to = m_tcpPart.find(tcp.GetDestinationPort());
    const uint32_t part = to == m_tcpPart.end() ? m_tcpPart.at(tcp.GetSourcePort()) : to->second;
    m_tcpHeaders[part][ue][uplink] += header.GetSerializedSize() + headers;
    m_tcpData[part][ue][uplink] += packet->GetSize() - headers;
}

void NrSimulation::SendBackground(const SetupFlow* flow)
{
    if (Simulator::Now() >= flow->stop)
    {
        return;
    }
    const std::vector<uint8_t> payload(flow->packetBytes);
    m_apps[flow->radio.flow]->Send(payload.data(), flow->packetBytes, NrMessageTag());
    const Time interval = Seconds(8.0 * flow->packetBytes / flow->rateBps);
    Simulator::Schedule(interval, &NrSimulation::SendBackground, this, flow);
}

void NrSimulation::SetDeliveryCallback(DeliveryCallback callback)
{
    m_delivery = std::move(callback);
}

void NrSimulation::Send(uint32_t flow, const uint8_t* data, uint32_t bytes, const NrMessageTag& tag)
{
    m_apps.at(flow)->Send(data, bytes, tag);
}

bool NrSimulation::HasFlow(uint32_t flow) const
{
    return m_apps.contains(flow);
}

void NrSimulation::Run()
{
    for (const auto& part : m_parts)
    {
        part->Start(m_setup.duration);
    }
    // No stop time: the air ends at the duration, and what is in the backhaul then still arrives.
    if (m_tcp)
    {
        // TCP would try for minutes to get through an air that has ended.
        Simulator::Stop(m_setup.duration + 2 * m_setup.backhaulDelay + Seconds(1));
    }
    Simulator::Run();
    const auto sum = [this](uint32_t part, uint32_t ue, bool uplink, auto&& get) {
        uint64_t total = 0;
        for (const auto& flow : m_setup.flows)
        {
            if (flow.radio.part == part && flow.radio.ue == ue && flow.radio.uplink == uplink &&
                !flow.tcp)
            {
                total += get(*m_apps[flow.radio.flow]);
            }
        }
        return total;
    };
    for (uint32_t part = 0; part < m_parts.size(); ++part)
    {
        m_parts[part]->Finish(
            [this, part, &sum](uint32_t ue, bool uplink) {
                return m_tcpData[part][ue][uplink] +
                       sum(part, ue, uplink, [](const MessageApp& app) {
                           return app.GetReceivedBytes();
                       });
            },
            [this, part, &sum](uint32_t ue, bool uplink) {
                constexpr uint64_t IP_UDP_HEADER_BYTES = 20 + 8;
                const uint64_t packets = sum(part, ue, uplink, [](const MessageApp& app) {
                    return app.GetReceivedPackets();
                });
                return m_tcpHeaders[part][ue][uplink] + IP_UDP_HEADER_BYTES * packets;
            });
    }
}

uint32_t NrSimulation::GetEdgeNode() const
{
    return m_ues.GetN();
}

const std::vector<Ptr<NrRan>>& NrSimulation::GetParts() const
{
    return m_parts;
}

uint64_t NrSimulation::GetForwardedPackets() const
{
    return m_upf->GetForwarded();
}

NodeContainer NrSimulation::GetCore() const
{
    return NodeContainer(m_edge, m_upfNode);
}

NodeContainer NrSimulation::GetGnbs() const
{
    return m_gnbs;
}

NodeContainer NrSimulation::GetUes() const
{
    return m_ues;
}

const SimulationSetup& NrSimulation::GetSetup() const
{
    return m_setup;
}

} // namespace ns3
