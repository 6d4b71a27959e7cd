// SPDX-License-Identifier: GPL-2.0-only
// NrRan: who sends what in a slot. The rest of the class is in nr-ran.cc and nr-ran-reception.cc.
#include "nr-ran.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ns3
{

namespace
{

/// 2 bytes of MAC subheader, 2 of RLC, 3 of PDCP, and something to carry.
constexpr uint32_t LEAST_BLOCK_BITS = 8 * 10;

} // namespace

uint32_t NrRan::GetLeastPrbs(uint8_t mcs, uint32_t symbols) const
{
    uint32_t prbs = 1;
    while (prbs < m_carrier->GetPrbs() &&
           m_carrier->GetTransportBlockBits(prbs, symbols, 1, mcs) < LEAST_BLOCK_BITS)
    {
        ++prbs;
    }
    return prbs;
}

void NrRan::WidenNarrowShares(uint32_t prbs, uint32_t symbols)
{
    uint32_t spare = prbs - std::accumulate(m_shares.begin(), m_shares.end(), 0U);
    for (std::size_t i = 0; i < m_shares.size(); ++i)
    {
        uint32_t& share = m_shares[i];
        const uint8_t mcs = m_candidates[i].lowestMcs;
        const uint32_t direct = m_candidates[i].leastPrbs;
        const bool wide = direct > 0 ? share >= direct
                                     : m_carrier->GetTransportBlockBits(share, symbols, 1, mcs) >=
                                           LEAST_BLOCK_BITS;
        if (share == 0 || wide)
        {
            continue;
        }
        const uint32_t least = direct > 0 ? direct : GetLeastPrbs(mcs, symbols);
        // Too narrow for headers and a byte: take what is left over, or leave it to the others.
        spare += share;
        share = spare >= least ? least : 0;
        spare -= share;
    }
}

double NrRan::GetBytesPerPrb(uint32_t symbols, const NrTransportFormat& format) const
{
    constexpr uint32_t SAMPLE_PRBS = 10; // TBS is quantised: one PRB alone would mislead
    return m_carrier->GetTransportBlockBits(SAMPLE_PRBS, symbols, format.layers, format.mcs) /
           (8.0 * SAMPLE_PRBS);
}

void NrRan::DescribeGroups(uint32_t groups, uint32_t firstPrb, uint32_t symbols, bool uplink)
{
    const uint32_t prbs = m_carrier->GetPrbs() - firstPrb;
    groups = std::min(groups, prbs);
    m_groups.clear();
    for (const NrCandidate& candidate : m_candidates)
    {
        auto adaptation = m_ues[candidate.ue].links[uplink]->GetLinkAdaptation();
        for (uint32_t group = 0; group < groups; ++group)
        {
            const uint32_t first = group * prbs / groups;
            const uint32_t width = (group + 1) * prbs / groups - first;
            const auto format =
                adaptation->SelectPart(m_slot, *m_phy, 0.0, firstPrb + first, width);
            m_groups.push_back(static_cast<float>(GetBytesPerPrb(symbols, format)));
        }
    }
    for (std::size_t i = 0; i < m_candidates.size(); ++i)
    {
        m_candidates[i].groupBytesPerPrb =
            std::span<const float>(m_groups).subspan(i * groups, groups);
    }
}

double NrRan::SendNewBlock(uint32_t number,
                           bool uplink,
                           const NrTransportFormat& format,
                           uint32_t firstPrb,
                           uint32_t prbs,
                           uint32_t symbols,
                           bool backedOff)
{
    Ue& ue = m_ues[number];
    NrLink& link = *ue.links[uplink];
    NrHarqProcess* const process = link.GetIdleProcess();
    if (process == nullptr)
    {
        return 0.0;
    }
    process->mcs = format.mcs;
    process->layers = format.layers;
    process->backedOff = backedOff;
    process->prbs = prbs;
    process->symbols = symbols;
    process->elements = m_carrier->GetDataElements(symbols) * prbs * format.layers;
    process->transmissions = 0;
    process->sinr.clear();
    process->delivery = link.GetHeadDelivery();
    if (process->delivery == NrDelivery::PACKET)
    {
        process->tbsBits =
            m_carrier->GetTransportBlockBits(prbs, symbols, format.layers, format.mcs);
        link.FillBlock(*process, m_maxHarqTx);
    }
    else
    {
        process->headerMcs = GetHeaderMcs(format.mcs);
        process->backedOff = true; // whether headers come says nothing about the MCS of contents
        link.FillDirect(*process, GetDirectCost(process->delivery, format.mcs), m_maxHarqTx);
    }
    if (process->segments.empty())
    {
        return 0.0;
    }
    if (uplink)
    {
        process->report = ue.buffer.Sent(process->tbsBits / 8, link.GetDemandBytes());
    }
    Transmit(number, uplink, *process, firstPrb);
    return process->tbsBits / 8.0;
}

uint32_t NrRan::ServeConfiguredGrants(uint32_t cell, uint32_t symbols, uint32_t nextPrb)
{
    if (m_configuredPeriod == 0)
    {
        return nextPrb;
    }
    for (const uint32_t number : m_cells[cell].ues)
    {
        Ue& ue = m_ues[number];
        // Every UE has its own slot of the period; one that is no uplink slot is left out.
        if ((m_slot + number) % m_configuredPeriod != 0)
        {
            continue;
        }
        NrLink& link = *ue.links[1];
        const auto format = link.GetLinkAdaptation()->Select(m_slot, *m_phy, 0.0);
        const double needed = std::ceil(m_configuredBytes / GetBytesPerPrb(symbols, format));
        const double reach = std::max(std::floor(m_uplinkPower.GetReach(ue.gain)), 1.0);
        const auto prbs = static_cast<uint32_t>(
            std::clamp(std::min(needed, reach), 1.0, double(m_carrier->GetPrbs() - nextPrb)));
        if (nextPrb >= m_carrier->GetPrbs())
        {
            break;
        }
        if (link.GetDemandBytes() > 0)
        {
            SendNewBlock(number, true, format, nextPrb, prbs, symbols, false);
        }
        nextPrb += prbs;
    }
    return nextPrb;
}

void NrRan::Schedule(uint32_t cell, bool uplink, uint32_t symbols)
{
    uint32_t nextPrb = 0;
    const uint32_t prbs = m_carrier->GetPrbs();
    NrScheduler& scheduler = *m_cells[cell].schedulers[uplink];
    const bool wantsQueue = scheduler.WantsQueue();
    m_candidates.clear();
    for (const uint32_t number : m_cells[cell].ues)
    {
        Ue& ue = m_ues[number];
        NrLink& link = *ue.links[uplink];
        if (!link.HasBlocks())
        {
            continue;
        }
        // Retransmissions first. They keep their PRBs and need as many symbols as the first one
        // had.
        for (NrHarqProcess& process : link.GetProcesses())
        {
            if (process.state == NrHarqProcess::State::RETRANSMIT && process.symbols <= symbols &&
                process.prbs <= prbs - nextPrb)
            {
                Transmit(number, uplink, process, nextPrb);
                nextPrb += process.prbs;
            }
        }
    }
    if (uplink)
    {
        nextPrb = ServeConfiguredGrants(cell, symbols, nextPrb);
    }
    for (const uint32_t number : m_cells[cell].ues)
    {
        Ue& ue = m_ues[number];
        NrLink& link = *ue.links[uplink];
        NrCandidate candidate;
        DescribeNext(candidate, number, uplink, symbols, wantsQueue);
        if (uplink)
        {
            candidate.demandBytes = ue.buffer.GetKnownBytes(m_slot, candidate.demandBytes);
        }
        if (candidate.demandBytes == 0 || link.GetIdleProcess() == nullptr)
        {
            continue;
        }
        candidate.maxPrbs = prbs;
        if (uplink)
        {
            // More PRBs than the power reaches would only thin it out.
            const double reach = m_uplinkPower.GetReach(ue.gain);
            const uint32_t least = GetLeastPrbs(m_phy->GetLowestMcs(), symbols);
            candidate.maxPrbs =
                std::max(least, static_cast<uint32_t>(std::clamp(reach, 1.0, double(prbs))));
        }
        const auto format =
            BackOff(link.GetLinkAdaptation()->Select(m_slot, *m_phy, 0.0), candidate);
        candidate.bytesPerPrb = GetBytesPerPrb(symbols, format);
        candidate.layers = format.layers;
        // The uplink's power is spread over the share, so its MCS may yet fall.
        candidate.lowestMcs = uplink ? m_phy->GetLowestMcs() : format.mcs;
        if (candidate.delivery != NrDelivery::PACKET)
        {
            DescribeDirect(candidate, format, symbols);
        }
        candidate.averageRate = link.GetAverageRate();
        m_candidates.push_back(candidate);
    }
    const uint32_t groups = scheduler.GetGroups(m_candidates.size());
    if (groups > 0 && nextPrb < prbs)
    {
        DescribeGroups(groups, nextPrb, symbols, uplink);
    }
    m_shares.assign(m_candidates.size(), 0);
    scheduler.Share(m_candidates, prbs - nextPrb, m_shares);
    WidenNarrowShares(prbs - nextPrb, symbols);
    const auto places = scheduler.GetPlaces();
    m_served.assign(m_candidates.size(), 0.0);
    for (std::size_t place = 0; place < m_candidates.size(); ++place)
    {
        const std::size_t at = places.empty() ? place : places[place];
        const uint32_t share = m_shares[at];
        if (share == 0)
        {
            continue;
        }
        const uint32_t number = m_candidates[at].ue;
        const Ue& ue = m_ues[number];
        const double penaltyDb = uplink ? GetSpreadingDb(ue, share) : 0.0;
        NrLinkAdaptation& adaptation = *ue.links[uplink]->GetLinkAdaptation();
        const auto chosen = groups > 0
                                ? adaptation.SelectPart(m_slot, *m_phy, penaltyDb, nextPrb, share)
                                : adaptation.Select(m_slot, *m_phy, penaltyDb);
        const auto format = BackOff(chosen, m_candidates[at]);
        m_served[at] =
            SendNewBlock(number, uplink, format, nextPrb, share, symbols, format.mcs < chosen.mcs);
        nextPrb += m_served[at] > 0.0 ? share : 0;
    }
    std::size_t at = 0;
    for (const uint32_t number : m_cells[cell].ues)
    {
        const bool asked = at < m_candidates.size() && m_candidates[at].ue == number;
        m_ues[number].links[uplink]->UpdateAverage(asked ? m_served[at++] : 0.0);
    }
}

uint8_t NrRan::GetHeaderMcs(uint8_t mcs) const
{
    const int lower = static_cast<int>(mcs) - static_cast<int>(m_headerBackoff);
    return static_cast<uint8_t>(std::max(static_cast<int>(m_phy->GetLowestMcs()), lower));
}

NrDirectCost NrRan::GetDirectCost(NrDelivery delivery, uint8_t mcs) const
{
    return NrDirectCost(
        delivery, m_phy->GetEfficiency(GetHeaderMcs(mcs)), m_phy->GetEfficiency(mcs));
}

void NrRan::DescribeNext(
    NrCandidate& candidate, uint32_t number, bool uplink, uint32_t symbols, bool withQueue)
{
    NrLink& link = *m_ues[number].links[uplink];
    for (const bool hold : {false, true})
    {
        candidate = NrCandidate();
        candidate.ue = number;
        link.HoldDirect(hold);
        link.Describe(candidate, withQueue);
        if (candidate.delivery == NrDelivery::PACKET)
        {
            return;
        }
        // Headers are never cut. Contents are: power that thins out is worse than further slots.
        candidate.leastPrbs = GetDirectPrbs(candidate, uplink, symbols);
        if (candidate.leastPrbs <= m_carrier->GetPrbs())
        {
            return;
        }
        // Headers that no block can hold now wait for a better channel, but nobody for them.
    }
}

void NrRan::DescribeDirect(NrCandidate& candidate,
                           const NrTransportFormat& format,
                           uint32_t symbols) const
{
    const NrDirectCost cost = GetDirectCost(candidate.delivery, format.mcs);
    const double contentByte = cost.GetElements(0, 1);
    candidate.bytesPerPrb = m_carrier->GetDataElements(symbols) * format.layers / contentByte;
    // Demand in bytes of contents; headers take more elements each.
    const double headers =
        std::min(1.0, double(candidate.headerBytes) / double(candidate.demandBytes));
    candidate.demandBytes = static_cast<uint64_t>(
        std::ceil(double(candidate.demandBytes) *
                  (1.0 - headers + headers * cost.GetElements(1, 0) / contentByte)));
    candidate.maxPrbs = std::max(candidate.maxPrbs, candidate.leastPrbs);
}

uint32_t NrRan::GetDirectPrbs(const NrCandidate& candidate, bool uplink, uint32_t symbols) const
{
    constexpr uint32_t MAC_RLC_BYTES = 7;
    const Ue& ue = m_ues[candidate.ue];
    const Ptr<NrLinkAdaptation> adaptation = ue.links[uplink]->GetLinkAdaptation();
    uint32_t prbs = 1;
    while (prbs <= m_carrier->GetPrbs())
    {
        // More PRBs thin the power out: the MCS falls, and what is sent takes more elements.
        const double penaltyDb = uplink ? GetSpreadingDb(ue, prbs) : 0.0;
        const auto format = BackOff(adaptation->Select(m_slot, *m_phy, penaltyDb), candidate);
        const NrDirectCost cost = GetDirectCost(candidate.delivery, format.mcs);
        const uint32_t each = m_carrier->GetDataElements(symbols) * format.layers;
        const double taken =
            cost.GetElements(candidate.headHeaderBytes + MAC_RLC_BYTES, NrDirectCost::SYMBOL_BYTES);
        const double missing = taken - cost.GetRoom(each * prbs);
        if (missing <= 0.0)
        {
            break;
        }
        // At least so many more, as no MCS below takes less.
        prbs += static_cast<uint32_t>(std::ceil(missing / each));
    }
    return prbs;
}

double NrRan::GetSpreadingDb(const Ue& ue, uint32_t prbs) const
{
    return 10.0 *
           std::log10(m_uplinkPower.GetTarget(ue.gain) / m_uplinkPower.GetPower(ue.gain, prbs));
}

NrTransportFormat NrRan::BackOff(NrTransportFormat format, const NrCandidate& candidate) const
{
    const uint32_t lowest = m_phy->GetLowestMcs();
    if (candidate.mcsBackoff > 0 && format.mcs > lowest)
    {
        format.mcs = static_cast<uint8_t>(std::max(
            static_cast<int>(lowest), static_cast<int>(format.mcs) - candidate.mcsBackoff));
    }
    return format;
}

void NrRan::Transmit(uint32_t number, bool uplink, NrHarqProcess& process, uint32_t firstPrb)
{
    Ue& ue = m_ues[number];
    const double power = uplink ? m_uplinkPower.GetPower(ue.gain, process.prbs) : m_gnbPower;
    if (uplink)
    {
        m_interference->NoteUplink(ue.cell, number, firstPrb, process.prbs, power);
    }
    else
    {
        m_interference->NoteDownlink(ue.cell, firstPrb, process.prbs, power);
    }
    ++process.transmissions;
    process.state = NrHarqProcess::State::SENT;
    const uint64_t earliest = m_slot + m_k1Slots;
    process.feedbackSlot = uplink ? earliest : m_carrier->GetFeedbackSlot(earliest);
    m_now.push_back({number, uplink, &process, firstPrb, power});
}

} // namespace ns3
