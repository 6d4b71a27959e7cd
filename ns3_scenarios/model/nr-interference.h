// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_INTERFERENCE_H
#define NR_INTERFERENCE_H

#include "nr-channel-source.h"

#include "ns3/object.h"

#include <cstdint>
#include <vector>

namespace ns3
{

/**
 * What the cells transmit in a slot, PRB by PRB, and what of it arrives elsewhere.
 *
 * Cells that matter to a receiver are counted exactly: per PRB, with the power and the channel of
 * this slot. With many cells, only the strongest MaxInterferers of each receiver are; what all
 * others add is taken as noise, equal on all PRBs: their mean gain times the power that they have
 * sent lately, both averaged. A receiver is a UE in the downlink and a cell in the uplink.
 */
class NrInterference : public Object
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param channel gains of all links
     * \param cells the number of cells
     * \param prbs the number of PRBs
     */
    void Configure(Ptr<NrChannelSource> channel, uint32_t cells, uint32_t prbs);

    /**
     * Nobody transmits yet in the slot that begins.
     *
     * \param downlink whether it has downlink symbols
     * \param uplink whether it has uplink symbols
     */
    void BeginSlot(bool downlink, bool uplink);

    /**
     * \param cell it transmits
     * \param firstPrb first PRB
     * \param prbs PRBs
     * \param power of each, in W
     */
    void NoteDownlink(uint32_t cell, uint32_t firstPrb, uint32_t prbs, double power);

    /**
     * \param cell it receives
     * \param ue it transmits
     * \param firstPrb first PRB
     * \param prbs PRBs
     * \param power of each, in W
     */
    void NoteUplink(uint32_t cell, uint32_t ue, uint32_t firstPrb, uint32_t prbs, double power);

    /**
     * Adds the power of other cells at a UE.
     *
     * \param ue the UE
     * \param cell its serving cell
     * \param firstPrb first PRB
     * \param power one value a PRB, in W, to which it is added
     */
    void AddDownlink(uint32_t ue, uint32_t cell, uint32_t firstPrb, std::vector<double>& power);

    /**
     * Adds the power of other cells' UEs at a cell.
     *
     * \param cell the cell
     * \param firstPrb first PRB
     * \param power one value a PRB, in W, to which it is added
     */
    void AddUplink(uint32_t cell, uint32_t firstPrb, std::vector<double>& power);

    /**
     * Chooses a UE's interferers anew from what it measures of the cells.
     *
     * \param ue the UE
     * \param cell its serving cell
     * \param gains mean gain of each cell, linear
     */
    void Update(uint32_t ue, uint32_t cell, const std::vector<double>& gains);

    /**
     * \return whether Update has to be called: there are more cells than interferers
     */
    bool IsBounded() const;

    /**
     * \param ue the UE
     * \return the cells that are counted exactly for it; empty before the first Update
     */
    const std::vector<uint32_t>& GetInterferers(uint32_t ue) const;

  private:
    /// What a cell's carrier is in use for.
    struct Cell
    {
        std::vector<double> power;     //!< transmitted downlink power of each PRB now, in W
        std::vector<int32_t> sender;   //!< UE that transmits in each uplink PRB now, -1 none
        std::vector<double> sentPower; //!< power with which that UE transmits, in W
        double load{0.0};              //!< transmitted power of a PRB, averaged, in W
        double slotPower{0.0};         //!< sum over PRBs in this slot, in W
        double uplinkNoise{0.0};       //!< from far cells' UEs, in W a PRB
        std::vector<double> coupling;  //!< by cell: mean gain from its UEs, for the choice
        std::vector<uint32_t> near;    //!< cells whose UEs are counted exactly
        bool busy{false};              //!< whether a UE of it transmits
    };

    /// What a UE hears.
    struct Ue
    {
        std::vector<uint32_t> near; //!< cells counted exactly
        double farNoise{0.0};       //!< from the others, in W a PRB
        bool known{false};          //!< whether Update was called
        double sent{0.0};           //!< power a PRB, summed over uplink slots since then, in W
        std::vector<double> felt;   //!< its part of each cell's uplinkNoise, in W a PRB
        uint64_t since{0};          //!< uplink slots at the latest Update
    };

    /// Adds one cell's power at a UE.
    void AddCell(uint32_t other, uint32_t ue, uint32_t firstPrb, std::vector<double>& power) const;

    /// Adds one cell's UEs' power at a cell.
    void AddSenders(uint32_t other,
                    uint32_t cell,
                    uint32_t firstPrb,
                    std::vector<double>& power) const;

    uint32_t m_maxInterferers{0};   //!< counted exactly, 0 for all
    double m_averageSlots{0.0};     //!< of loads and far noise
    Ptr<NrChannelSource> m_channel; //!< gains
    std::vector<Cell> m_cells;      //!< by cell
    std::vector<Ue> m_ues;          //!< by UE
    bool m_downlink{false};         //!< whether the slot that ends had downlink symbols
    uint64_t m_uplinkSlots{0};      //!< slots with uplink symbols
};

} // namespace ns3

#endif // NR_INTERFERENCE_H
