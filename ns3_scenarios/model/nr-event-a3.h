// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_EVENT_A3_H
#define NR_EVENT_A3_H

#include "ns3/nstime.h"
#include "ns3/object.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace ns3
{

/**
 * Event A3 of TS 38.331 clause 5.5.4.4: a neighbour becomes better than the serving cell by an
 * offset.
 *
 * A neighbour enters when Mn - Hys > Ms + Off and leaves when Mn + Hys < Ms + Off; the event is
 * reported when one has been in for the time to trigger. Offsets of single cells are 0.
 */
class NrEventA3 : public Object
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param now time of the measurements
     * \param serving the serving cell
     * \param rsrpDbm filtered measurements, by cell
     * \return the best neighbour whose time to trigger is over, if there is one
     */
    std::optional<uint32_t> Evaluate(Time now,
                                     uint32_t serving,
                                     const std::vector<double>& rsrpDbm);

    /// Forgets all neighbours that have entered: the serving cell has changed.
    void Reset();

  private:
    double m_offsetDb{0.0};      //!< Off
    double m_hysteresisDb{0.0};  //!< Hys
    Time m_timeToTrigger;        //!< from entering to the report
    std::vector<Time> m_entered; //!< by cell, negative if not in
};

} // namespace ns3

#endif // NR_EVENT_A3_H
