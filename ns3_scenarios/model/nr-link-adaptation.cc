// SPDX-License-Identifier: GPL-2.0-only
#include "nr-link-adaptation.h"

#include "nr-phy-abstraction.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrLinkAdaptation);

TypeId NrLinkAdaptation::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrLinkAdaptation")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrLinkAdaptation>()
            .AddAttribute("DelaySlots",
                          "Slots from a measurement to the first use of its report",
                          UintegerValue(4),
                          MakeUintegerAccessor(&NrLinkAdaptation::m_delaySlots),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("BlerTarget",
                          "Share of first transmissions that may be lost",
                          DoubleValue(0.1),
                          MakeDoubleAccessor(&NrLinkAdaptation::m_blerTarget),
                          MakeDoubleChecker<double>(1e-9, 0.999))
            .AddAttribute("OuterLoop",
                          "Correct the reported SINR from acknowledgements",
                          BooleanValue(true),
                          MakeBooleanAccessor(&NrLinkAdaptation::m_outerLoop),
                          MakeBooleanChecker())
            .AddAttribute("StepDb",
                          "Outer loop's step down at a lost block, in dB; the step up at a decoded "
                          "one is StepDb x BlerTarget / (1 - BlerTarget)",
                          DoubleValue(0.5),
                          MakeDoubleAccessor(&NrLinkAdaptation::m_stepDb),
                          MakeDoubleChecker<double>(0.0, 10.0))
            .AddAttribute("LimitDb",
                          "The outer loop corrects by this much at most, in dB",
                          DoubleValue(10.0),
                          MakeDoubleAccessor(&NrLinkAdaptation::m_limitDb),
                          MakeDoubleChecker<double>(0.0, 40.0));
    return tid;
}

void NrLinkAdaptation::Report(uint64_t slot, std::vector<float> sinr, uint32_t layers)
{
    m_reports.push_back({slot + m_delaySlots, std::move(sinr), layers, {}});
    if (m_latest.size() < layers)
    {
        m_latest.resize(layers, 0);
    }
}

void NrLinkAdaptation::Reset()
{
    m_reports.clear();
    m_offsetDb = 0.0;
}

NrLinkAdaptation::Entry* NrLinkAdaptation::GetReport(uint64_t slot)
{
    while (m_reports.size() > 1 && m_reports[1].usableFrom <= slot)
    {
        m_reports.pop_front();
    }
    return m_reports.empty() || m_reports.front().usableFrom > slot ? nullptr : &m_reports.front();
}

template <typename Meets>
int NrLinkAdaptation::HuntMcs(uint32_t rank, int count, int lowest, Meets meets)
{
    // Channels change little between two looks, so the search begins where the last one ended.
    int mcs = std::clamp(m_latest[rank - 1], lowest, count - 1);
    if (meets(mcs))
    {
        while (mcs + 1 < count && meets(mcs + 1))
        {
            ++mcs;
        }
    }
    else
    {
        do
        {
            --mcs;
        } while (mcs >= lowest && !meets(mcs));
    }
    m_latest[rank - 1] = std::max(mcs, lowest);
    return mcs >= lowest ? mcs : -1;
}

NrTransportFormat NrLinkAdaptation::Select(uint64_t slot,
                                           const NrPhyAbstraction& phy,
                                           double penaltyDb)
{
    return SelectPart(slot, phy, penaltyDb, 0, UINT32_MAX);
}

NrTransportFormat NrLinkAdaptation::SelectPart(
    uint64_t slot, const NrPhyAbstraction& phy, double penaltyDb, uint32_t firstPrb, uint32_t prbs)
{
    NrTransportFormat best{phy.GetLowestMcs(), 1};
    Entry* entry = GetReport(slot);
    if (entry == nullptr)
    {
        return best; // nothing known yet
    }
    const auto count = phy.GetMcsCount();
    const auto width = static_cast<uint32_t>(entry->sinr.size()) / entry->layers;
    const bool whole = firstPrb == 0 && prbs >= width;
    if (whole && entry->effectiveDb.empty())
    {
        entry->effectiveDb.assign(std::size_t{entry->layers} * count, NAN);
    }
    double most = phy.GetEfficiency(best.mcs);
    for (uint32_t rank = 1; rank <= entry->layers; ++rank)
    {
        std::span<const float> samples(entry->sinr.data(), std::size_t{rank} * width);
        if (!whole)
        {
            m_part.clear();
            for (uint32_t layer = 0; layer < rank; ++layer)
            {
                const auto from = entry->sinr.begin() + layer * width + firstPrb;
                m_part.insert(m_part.end(), from, from + prbs);
            }
            samples = m_part;
        }
        const auto effectiveDb = [&](int mcs) {
            float unknown = NAN;
            float& known =
                whole ? entry->effectiveDb[std::size_t{rank - 1} * count + mcs] : unknown;
            if (std::isnan(known))
            {
                const double sinr =
                    phy.GetEffectiveSinr(samples, static_cast<uint8_t>(mcs), 1.0 / rank);
                known = static_cast<float>(10.0 * std::log10(std::max(sinr, 1e-20)));
            }
            return known;
        };
        const int mcs =
            HuntMcs(rank, static_cast<int>(count), phy.GetLowestMcs(), [&](int candidate) {
                return effectiveDb(candidate) + m_offsetDb - penaltyDb >=
                       phy.GetThresholdDb(static_cast<uint8_t>(candidate), m_blerTarget);
            });
        if (mcs < 0)
        {
            break; // more layers have still less power each
        }
        const double efficiency = rank * phy.GetEfficiency(static_cast<uint8_t>(mcs));
        if (efficiency > most)
        {
            most = efficiency;
            best = {static_cast<uint8_t>(mcs), static_cast<uint8_t>(rank)};
        }
    }
    return best;
}

void NrLinkAdaptation::Feedback(bool decoded)
{
    if (m_outerLoop)
    {
        m_offsetDb += decoded ? m_stepDb * m_blerTarget / (1.0 - m_blerTarget) : -m_stepDb;
        // A link below the lowest MCS or above the highest would wind the loop up without end.
        m_offsetDb = std::clamp(m_offsetDb, -m_limitDb, m_limitDb);
    }
}

double NrLinkAdaptation::GetOffsetDb() const
{
    return m_offsetDb;
}

} // namespace ns3
