// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_SEMANTIC_PROFILE_H
#define NR_SEMANTIC_PROFILE_H

#include <cstdint>
#include <vector>

namespace ns3
{

/**
 * What is known of a flow's messages before they are sent: their mean size, and the accuracy of
 * the receiver's answers over the share of a message's units that arrived, as measured offline.
 */
class NrSemanticProfile
{
  public:
    NrSemanticProfile() = default;

    /**
     * \param messageBytes of a message on average
     * \param accuracy at equally spaced shares of units, from none to all; at least two
     */
    NrSemanticProfile(double messageBytes, std::vector<double> accuracy);

    /**
     * \return whether anything is known
     */
    bool IsKnown() const;

    /**
     * \param share of a message's units that arrived, 0 to 1
     * \return the expected accuracy, linear between measured points
     */
    double GetAccuracy(double share) const;

    /**
     * \return accuracy of whole messages above that of none, per byte
     */
    double GetValuePerByte() const;

  private:
    double m_messageBytes{0.0};     //!< of a message on average
    std::vector<double> m_accuracy; //!< at equally spaced shares
};

} // namespace ns3

#endif // NR_SEMANTIC_PROFILE_H
