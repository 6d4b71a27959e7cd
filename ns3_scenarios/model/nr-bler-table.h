// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_BLER_TABLE_H
#define NR_BLER_TABLE_H

#include <cstdint>
#include <span>
#include <vector>

namespace ns3
{

/**
 * Block error rates of code blocks over SINR, for MCS indices and code block sizes.
 *
 * Between grid points the logarithm of the rate is linear in dB, and the rate linear in the
 * logarithm of the code block's size; outside, the nearest size and SINR count. An MCS of which the
 * table has nothing (NaN) takes the rates of the next one that it has, which errs to the safe side.
 */
class NrBlerTable
{
  public:
    /**
     * \param cbsBits code block sizes in bits, ascending
     * \param snrDb SINR grid in dB, equal steps
     * \param bler rates [mcs][size][snr]; NaN where the table has nothing
     */
    NrBlerTable(std::span<const float> cbsBits,
                std::span<const float> snrDb,
                std::span<const float> bler);

    /**
     * \param mcs MCS index
     * \return whether the table itself has the MCS
     */
    bool IsAvailable(uint8_t mcs) const;

    /**
     * \param mcs MCS index
     * \param cbsBits code block size in bits
     * \param snrDb SINR in dB
     * \return the probability that a code block is lost
     */
    double GetCodeBlockBler(uint8_t mcs, double cbsBits, double snrDb) const;

    /**
     * \param mcs MCS index
     * \param tbsBits transport block size in bits
     * \param codeRate the MCS's code rate
     * \param snrDb SINR in dB
     * \return the probability that one of its code blocks is lost
     */
    double GetTransportBlockBler(uint8_t mcs,
                                 uint32_t tbsBits,
                                 double codeRate,
                                 double snrDb) const;

    /**
     * \param mcs MCS index
     * \param cbsBits code block size in bits
     * \param target block error rate
     * \return the lowest SINR in dB at which a code block meets the target
     */
    double SnrForBler(uint8_t mcs, double cbsBits, double target) const;

  private:
    /**
     * \return the rate on one row of the table
     */
    double Row(std::size_t mcs, std::size_t size, double snrDb) const;

    std::vector<float> m_cbsBits;  //!< sizes
    double m_firstDb;              //!< of the grid
    double m_stepDb;               //!< of the grid
    std::size_t m_points;          //!< of the grid
    std::vector<float> m_logBler;  //!< log10 of the rates
    std::vector<uint8_t> m_source; //!< MCS whose rates an MCS takes
};

} // namespace ns3

#endif // NR_BLER_TABLE_H
