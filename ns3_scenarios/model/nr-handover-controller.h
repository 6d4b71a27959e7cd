// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_HANDOVER_CONTROLLER_H
#define NR_HANDOVER_CONTROLLER_H

#include "nr-channel-source.h"
#include "nr-event-a3.h"
#include "nr-rsrp-measurement.h"

#include "ns3/object.h"

#include <functional>
#include <vector>

namespace ns3
{

/**
 * Measures, decides on handovers and takes UEs through them.
 *
 * A handover: event A3 is reported; the target is prepared (PreparationTime), in which data flows
 * on; the UE leaves its cell and is out of reach for InterruptionTime, while packets for it are
 * forwarded; it appears in the target; the core switches its path PathSwitchTime later. RRC
 * messages are not simulated and never lost: the times stand for them.
 */
class NrHandoverController : public Object
{
  public:
    /// Takes the UE out of its cell on its way to another.
    using LeaveCallback = std::function<void(uint32_t ue, uint32_t target)>;
    /// Puts the UE into a cell, or switches its path there.
    using CellCallback = std::function<void(uint32_t ue, uint32_t cell)>;
    /// Told of mean gains of all cells at a UE, linear.
    using GainsCallback =
        std::function<void(uint32_t ue, uint32_t serving, const std::vector<double>& gains)>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param channel gains of all links
     * \param powerDbm a resource element's transmit power, in dBm
     * \param cells the number of cells
     * \param serving serving cells, by UE
     */
    void Configure(Ptr<NrChannelSource> channel,
                   double powerDbm,
                   uint32_t cells,
                   const std::vector<uint32_t>& serving);

    /**
     * \param leave takes UEs out of their cells
     * \param enter puts them into their new ones
     * \param switchPath switches their paths
     */
    void SetCallbacks(LeaveCallback leave, CellCallback enter, CellCallback switchPath);

    /**
     * \param gains told of mean gains at every measurement
     */
    void SetGainsCallback(GainsCallback gains);

    /**
     * Measures if it is due, and begins and ends handovers. To be called at the beginning of every
     * slot, between transmissions.
     *
     * \param now the time
     */
    void Step(Time now);

    /**
     * Notes that a UE has another cell because somebody else decided so.
     *
     * \param ue the UE
     * \param cell its cell
     */
    void SetServing(uint32_t ue, uint32_t cell);

    /**
     * \return handovers that were completed
     */
    uint32_t GetHandovers() const;

  private:
    /// Where a UE stands.
    enum class State
    {
        CONNECTED,  //!< served
        PREPARING,  //!< served, a target is being prepared
        INTERRUPTED //!< out of reach
    };

    /// A UE.
    struct Ue
    {
        uint32_t cell{0};                   //!< serving cell
        uint32_t target{0};                 //!< of the handover under way
        State state{State::CONNECTED};      //!< where it stands
        Time until;                         //!< end of the state
        Ptr<NrRsrpMeasurement> measurement; //!< of all cells
        Ptr<NrEventA3> event;               //!< decides
    };

    /// Measures one UE and looks whether the event has happened.
    void Measure(uint32_t number, Time now);

    bool m_enabled{false};          //!< whether UEs change their cells
    Time m_period;                  //!< between measurements
    Time m_preparation;             //!< from the report to leaving
    Time m_interruption;            //!< from leaving to arriving
    Time m_pathSwitch;              //!< from arriving to the new path
    Ptr<NrChannelSource> m_channel; //!< gains
    double m_powerDbm{0.0};         //!< of a resource element
    std::vector<Ue> m_ues;          //!< by number
    std::vector<double> m_gains;    //!< scratch, by cell
    std::vector<double> m_rsrp;     //!< scratch, by cell
    Time m_next;                    //!< next measurement
    uint32_t m_handovers{0};        //!< completed
    LeaveCallback m_leave;          //!< out of a cell
    CellCallback m_enter;           //!< into a cell
    CellCallback m_switchPath;      //!< in the core
    GainsCallback m_gainsCallback;  //!< told of mean gains
};

} // namespace ns3

#endif // NR_HANDOVER_CONTROLLER_H
