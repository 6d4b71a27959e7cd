// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_SIMULATION_H
#define NR_SIMULATION_H

#include "message-app.h"
#include "nr-ran.h"
#include "nr-traffic-source.h"
#include "nr-ue-net-device.h"
#include "nr-upf.h"
#include "simulation-setup.h"

#include "ns3/ipv4-header.h"
#include "ns3/node-container.h"

#include <array>
#include <map>
#include <memory>

namespace ns3
{

/// What a bandwidth part is made of.
struct NrBandwidthPart
{
    Ptr<NrCarrier> carrier;       //!< frame structure and PRBs
    Ptr<NrPhyAbstraction> phy;    //!< from SINR to block error rate
    Ptr<NrChannelSource> channel; //!< gains of all links on its PRBs
};

/**
 * Builds the whole network of a setup: edge server, backhaul, UPF, gNBs, UEs, flows; and runs it.
 *
 * It needs no bridge: a test gives it a constant channel and a sink that keeps records.
 */
class NrSimulation
{
  public:
    /// Takes a payload that reached its application: the flow, the receiving node, its bytes.
    using DeliveryCallback =
        std::function<void(const SetupFlow& flow, const std::vector<uint8_t>& data)>;

    /**
     * \param setup what to build
     * \param parts its bandwidth parts, independent carriers of all cells; the first one decides
     * on handovers and has the default bearers. In records, the cells of part p follow those of
     * part p - 1.
     * \param sink where records go
     */
    NrSimulation(const SimulationSetup& setup,
                 const std::vector<NrBandwidthPart>& parts,
                 Ptr<NrTraceSink> sink);

    /**
     * \param callback told of every payload that arrives
     */
    void SetDeliveryCallback(DeliveryCallback callback);

    /**
     * Sends a payload on a flow now.
     *
     * \param flow flow number
     * \param data its bytes
     * \param bytes how many
     * \param tag what it is a part of
     */
    void Send(uint32_t flow, const uint8_t* data, uint32_t bytes, const NrMessageTag& tag);

    /**
     * \param flow flow number
     * \return whether there is such a flow
     */
    bool HasFlow(uint32_t flow) const;

    /**
     * Runs until the setup's duration is over and the backhaul is empty, then reports the counters.
     */
    void Run();

    /**
     * \return the node number of the edge server in records: the number of UEs
     */
    uint32_t GetEdgeNode() const;

    /**
     * \return the bandwidth parts
     */
    const std::vector<Ptr<NrRan>>& GetParts() const;

    /**
     * \return packets that one gNB forwarded to another in handovers
     */
    uint64_t GetForwardedPackets() const;

    /**
     * \return edge server and UPF
     */
    NodeContainer GetCore() const;

    /**
     * \return the gNBs, by cell
     */
    NodeContainer GetGnbs() const;

    /**
     * \return the UEs
     */
    NodeContainer GetUes() const;

    /**
     * \return what was asked for
     */
    const SimulationSetup& GetSetup() const;

  private:
    /// Makes a bandwidth part for all cells.
    void BuildPart(const NrBandwidthPart& part, double power, Ptr<NrTraceSink> sink);

    /// Gives an IP packet to the bandwidth part of its flow.
    void Enqueue(uint32_t ue, bool uplink, Ptr<Packet> packet);

    /// Makes nodes and links of the core.
    void BuildCore();

    /// Makes UEs and their interfaces.
    void BuildUes();

    /// Makes a flow's bearer and both of its ends.
    void BuildFlow(const SetupFlow& flow);

    /// Makes a flow's traffic model.
    void BuildSource(const SetupFlow* flow);

    /// Makes a flow's TCP connection.
    void BuildTcp(const SetupFlow* flow);

    /// Counts TCP segments that reach a node.
    void OnLocalDeliver(const Ipv4Header& header, Ptr<const Packet> packet, uint32_t interface);

    /// Sends a background packet and plans the next.
    void SendBackground(const SetupFlow* flow);

    SimulationSetup m_setup;                     //!< what was asked for
    std::vector<Ptr<NrRan>> m_parts;             //!< the air
    std::shared_ptr<uint64_t> m_packets;         //!< IP packets that came to the air
    Ptr<NrUpf> m_upf;                            //!< tunnels
    Ptr<Node> m_edge;                            //!< edge server
    Ptr<Node> m_upfNode;                         //!< UPF
    NodeContainer m_gnbs;                        //!< by cell
    NodeContainer m_ues;                         //!< by UE
    std::vector<Ptr<NrUeNetDevice>> m_devices;   //!< by UE
    Ipv4Address m_edgeAddress;                   //!< of the edge server
    std::vector<Ipv4Address> m_addresses;        //!< by UE
    std::map<uint32_t, Ptr<MessageApp>> m_apps;  //!< by flow, not of TCP
    std::vector<Ptr<NrTrafficSource>> m_sources; //!< traffic models
    std::map<uint32_t, uint32_t> m_ueOf;         //!< by address, with TCP
    std::map<uint16_t, uint32_t> m_tcpPart;      //!< by port: bandwidth part, with TCP
    /// By bandwidth part, UE and direction: bytes of TCP's data and headers.
    std::vector<std::vector<std::array<uint64_t, 2>>> m_tcpData, m_tcpHeaders;
    bool m_tcp{false};                  //!< whether there is TCP
    DeliveryCallback m_delivery;        //!< told of payloads
    std::vector<uint32_t> m_uplinkCell; //!< by UE: the cell that received it last
};

} // namespace ns3

#endif // NR_SIMULATION_H
