// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_FILE_SOURCE_H
#define NR_FILE_SOURCE_H

#include "nr-traffic-source.h"

namespace ns3
{

/**
 * Files, all packets of one handed over at once.
 *
 * With Rate, arrivals are a Poisson process and files have one size: FTP model 1 of TR 36.814
 * clause A.2.1.3.1 and model 3 of TR 36.889 clause A.1.1. (In model 1, files of all UEs together
 * arrive as a Poisson process; dealt out at random, it is one for each UE.) Without, the FTP of
 * NGMN's radio access performance evaluation methodology (2008): a file of log-normal size, drawn
 * again above the largest, then an exponential reading time, counted from its handing over.
 */
class NrFileSource : public NrTrafficSource
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  protected:
    void Begin() override;

  private:
    /// Plans the next file.
    void Plan();

    /// Sends a file.
    void SendFile();

    double m_rateHz{0.0};    //!< files a second, 0 for reading times
    uint32_t m_fileBytes{0}; //!< size, 0 for log-normal
    double m_mu{0.0};        //!< mean of the size's logarithm
    double m_sigma{0.0};     //!< standard deviation of the size's logarithm
    uint32_t m_largest{0};   //!< largest log-normal size
    Time m_reading;          //!< mean reading time
};

} // namespace ns3

#endif // NR_FILE_SOURCE_H
