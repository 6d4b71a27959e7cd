// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_ANIMATION_H
#define NR_ANIMATION_H

#include "nr-simulation.h"

#include "ns3/animation-interface.h"

#include <string>

namespace ns3
{

/**
 * Writes a simulation as a file for NetAnim: where the nodes are, and the packets on the links
 * between edge server, UPF and gNBs. What is simulated stays equal.
 */
class NrAnimation
{
  public:
    /**
     * \param simulation built, not yet run
     * \param file path of the XML file
     */
    NrAnimation(const NrSimulation& simulation, const std::string& file);

  private:
    AnimationInterface m_animation; //!< writes; closes its file at the end
};

} // namespace ns3

#endif // NR_ANIMATION_H
