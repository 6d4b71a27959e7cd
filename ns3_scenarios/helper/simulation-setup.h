// SPDX-License-Identifier: GPL-2.0-only
#ifndef SIMULATION_SETUP_H
#define SIMULATION_SETUP_H

#include "nr-link.h"

#include "ns3/data-rate.h"
#include "ns3/nstime.h"
#include "ns3/vector.h"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{

/// A setup text that cannot be read: the message names the line and what is allowed.
class SetupError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/// A UE of a setup.
struct SetupUe
{
    Vector position;                                //!< in metres
    uint32_t cell{0};                               //!< serving cell
    std::vector<std::pair<Time, Vector>> waypoints; //!< where it is later, in a straight line
};

/// A bandwidth part above the first, which the defaults of NrCarrier describe.
struct SetupBandwidthPart
{
    uint32_t numerology{0}; //!< subcarrier spacing is 15 kHz x 2^numerology
    uint32_t prbs{0};       //!< PRBs
    std::string tddPattern; //!< a letter a slot, empty for FDD
};

/// A flow of a setup.
struct SetupFlow
{
    NrFlowConfig radio;      //!< its bearer
    uint16_t port{0};        //!< UDP or TCP destination port
    uint8_t dscp{0};         //!< DiffServ code point that its packets are marked with
    bool background{false};  //!< load instead of an agent's messages
    std::string source;      //!< traffic model as ns-3 writes it: ns3::Class[Attribute=Value|...]
    bool tcp{false};         //!< bulk data over TCP
    bool notify{false};      //!< whether agents are told of each packet that arrives
    double rateBps{0.0};     //!< of background traffic, UDP payload
    uint32_t packetBytes{0}; //!< of background traffic, UDP payload
    Time start;              //!< of background traffic
    Time stop{Time::Max()};  //!< of background traffic
};

/**
 * What to simulate, read from a text with one statement a line:
 *
 *     global RngSeed 1                          # a GlobalValue
 *     default ns3::NrRan::GnbTxPower 33         # an attribute's default, applied at once
 *     duration_s 10
 *     backhaul rate_bps=1e10 delay_s=0.005 mtu_bytes=1500
 *     bandwidth_part 1 numerology=2 prbs=24 tdd_pattern=DDDSU   # without a pattern FDD
 *     cell 0 0 0 10                             # number and position in metres
 *     ue 0 50 20 1.5 cell=0
 *     waypoint 0 2.5 80 20 1.5                  # UE 0 is there at 2.5 s
 *     flow 1 ue=0 direction=ul kind=semantic port=5001 fiveqi=80 priority=68 discard=1 notify=0
 *     flow 2 ue=0 direction=dl kind=cbr port=5002 rate_bps=1e6 packet_bytes=1200 start_s=0 stop_s=9
 *     semantic 1 message_bytes=120 accuracy=0.5,0.6,0.75,0.8   # over the share of units received
 */
struct SimulationSetup
{
    Time duration;                         //!< of the radio's slots
    DataRate backhaulRate{10000000000ULL}; //!< of the link edge server - UPF
    Time backhaulDelay{MilliSeconds(5)};   //!< one way
    uint16_t backhaulMtu{1500};            //!< largest IP packet in bytes
    std::vector<SetupBandwidthPart> parts; //!< bandwidth parts above the first
    std::vector<Vector> cells;             //!< positions in metres
    std::vector<SetupUe> ues;              //!< by number
    std::vector<SetupFlow> flows;          //!< any order

    /**
     * Reads a text and applies its defaults and global values.
     *
     * \param text the statements
     * \return the setup
     */
    static SimulationSetup Parse(const std::string& text);
};

} // namespace ns3

#endif // SIMULATION_SETUP_H
