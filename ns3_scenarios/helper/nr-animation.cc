// SPDX-License-Identifier: GPL-2.0-only
#include "nr-animation.h"

#include "ns3/simulator.h"

namespace ns3
{

namespace
{

/// Edge server and UPF have no place in a scenario: they are drawn beside the first cell.
constexpr double CORE_DISTANCE_M = 50.0;

/// ns-3's animation looks for moved nodes for ever, so the simulation needs an end; nothing stays
/// this long in the backhaul.
const Time AFTERWARDS = Seconds(60);

/// Names and colours nodes.
void Mark(AnimationInterface& animation,
          const NodeContainer& nodes,
          const std::string& name,
          uint8_t red,
          uint8_t green,
          uint8_t blue)
{
    for (uint32_t i = 0; i < nodes.GetN(); ++i)
    {
        animation.UpdateNodeDescription(nodes.Get(i), name + " " + std::to_string(i));
        animation.UpdateNodeColor(nodes.Get(i), red, green, blue);
    }
}

} // namespace

NrAnimation::NrAnimation(const NrSimulation& simulation, const std::string& file)
    : m_animation(file)
{
    const auto core = simulation.GetCore();
    const Vector first = simulation.GetSetup().cells.front();
    AnimationInterface::SetConstantPosition(
        core.Get(0), first.x - 2 * CORE_DISTANCE_M, first.y, first.z);
    AnimationInterface::SetConstantPosition(
        core.Get(1), first.x - CORE_DISTANCE_M, first.y, first.z);
    // Okabe and Ito's colours
    Mark(m_animation, NodeContainer(core.Get(0)), "edge server", 204, 121, 167);
    Mark(m_animation, NodeContainer(core.Get(1)), "UPF", 230, 159, 0);
    Mark(m_animation, simulation.GetGnbs(), "gNB", 213, 94, 0);
    Mark(m_animation, simulation.GetUes(), "UE", 0, 114, 178);
    Simulator::Stop(simulation.GetSetup().duration + AFTERWARDS);
}

} // namespace ns3
