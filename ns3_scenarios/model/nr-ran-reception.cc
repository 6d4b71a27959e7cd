// SPDX-License-Identifier: GPL-2.0-only
// NrRan: what becomes of a transmission. The rest of the class is in nr-ran.cc and
// nr-ran-scheduling.cc.
#include "nr-ran.h"

#include "nr-tbs.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace ns3
{

static_assert(static_cast<uint32_t>(NrDelivery::BITS) ==
              static_cast<uint32_t>(cosim::sim::Delivery::BITS));
static_assert(static_cast<uint32_t>(NrDelivery::SYMBOLS) ==
              static_cast<uint32_t>(cosim::sim::Delivery::SYMBOLS));

void NrRan::Decode(const Transmission& t)
{
    NrHarqProcess& process = *t.process;
    const Ue& ue = m_ues[t.ue];
    m_sinr.resize(std::size_t{process.prbs} * process.layers);
    m_noise.assign(process.prbs, t.uplink ? m_gnbNoise : m_ueNoise);
    if (t.uplink)
    {
        m_interference->AddUplink(ue.cell, t.firstPrb, m_noise);
    }
    else
    {
        m_interference->AddDownlink(t.ue, ue.cell, t.firstPrb, m_noise);
    }
    for (uint32_t layer = 0; layer < process.layers; ++layer)
    {
        const auto gains = m_channel->GetGains(ue.cell, t.ue, layer);
        for (uint32_t i = 0; i < process.prbs; ++i)
        {
            m_sinr[layer * process.prbs + i] =
                static_cast<float>(t.power / process.layers * gains[t.firstPrb + i] / m_noise[i]);
        }
    }
    const bool direct = process.delivery != NrDelivery::PACKET;
    const double sinr = m_phy->GetEffectiveSinr(m_sinr, direct ? process.headerMcs : process.mcs);
    process.sinr.push_back(static_cast<float>(sinr));
    const double bler = direct ? GetHeaderBler(process) : GetBler(process, sinr);
    if (process.transmissions == 1 || !m_harqMemory)
    {
        process.draw = m_draw->GetValue();
    }
    process.decoded = process.draw >= bler;
    const double sinrDb = 10.0 * std::log10(std::max(sinr, 1e-20));
    NrLink& link = *ue.links[t.uplink];
    link.CountTransmission(process, sinrDb, process.decoded);
    if (m_slotTrace)
    {
        cosim::sim::SlotRecord record{};
        record.t_s = Simulator::Now().GetSeconds();
        record.cell = m_firstCell + ue.cell;
        record.direction = t.uplink;
        record.ue = t.ue;
        record.tbs_bits = process.tbsBits;
        record.prb_first = static_cast<uint16_t>(t.firstPrb);
        record.prb_count = static_cast<uint16_t>(process.prbs);
        record.layers = process.layers;
        record.mcs = process.mcs;
        record.harq_process = static_cast<uint8_t>(&process - link.GetProcesses().data());
        record.redundancy_version =
            direct ? 0 : m_combining->GetRedundancyVersion(process.transmissions);
        record.sinr_eff_db = static_cast<float>(sinrDb);
        record.bler_predicted = static_cast<float>(bler);
        record.ack = process.decoded;
        m_sink->Slot(record);
    }
    if (direct)
    {
        process.chosen = false; // its contents go through the real code in any case
        if (process.decoded)
        {
            EmitDirect(t);
        }
    }
    else if (process.transmissions == 1)
    {
        process.chosen = m_truthSampler.Take(m_truthFraction);
        process.elementSinr.clear();
    }
    if (process.chosen)
    {
        process.elementSinr.insert(process.elementSinr.end(), m_sinr.begin(), m_sinr.end());
        EmitTruth(t, sinrDb, bler);
    }
}

double NrRan::GetBler(const NrHarqProcess& process, double sinr) const
{
    if (process.transmissions > 1)
    {
        const double rate = m_carrier->GetCodeRate(process.mcs);
        const auto graph = NrSegment(process.tbsBits, rate).baseGraph;
        sinr = m_phy->GetCombinedSinr(process.mcs, m_combining->Combine(process.sinr, rate, graph));
    }
    return m_phy->GetBler(process.mcs, process.tbsBits, 10.0 * std::log10(std::max(sinr, 1e-20)));
}

double NrRan::GetHeaderBler(NrHarqProcess& process) const
{
    // The same symbols each time, added up by their SINR (maximum ratio combining).
    if (process.transmissions == 1)
    {
        process.elementSinr = m_sinr;
    }
    else
    {
        std::transform(m_sinr.begin(),
                       m_sinr.end(),
                       process.elementSinr.begin(),
                       process.elementSinr.begin(),
                       std::plus<>());
    }
    const double sinr = m_phy->GetEffectiveSinr(process.elementSinr, process.headerMcs);
    return m_phy->GetBler(
        process.headerMcs, process.headerBits, 10.0 * std::log10(std::max(sinr, 1e-20)));
}

void NrRan::EmitTruth(const Transmission& t, double sinrDb, double bler) const
{
    const NrHarqProcess& process = *t.process;
    cosim::sim::TruthRecord record{};
    record.t_s = Simulator::Now().GetSeconds();
    record.cell = m_firstCell + m_ues[t.ue].cell;
    record.direction = t.uplink;
    record.ue = t.ue;
    record.tbs_bits = process.tbsBits;
    record.elements = m_carrier->GetDataElements(process.symbols);
    record.prb_count = static_cast<uint16_t>(process.prbs);
    record.layers = process.layers;
    record.mcs = process.mcs;
    record.sinr_eff_db = static_cast<float>(sinrDb);
    record.bler_predicted = static_cast<float>(bler);
    record.ack = process.decoded;
    record.transmission = process.transmissions;
    m_sink->Truth(record, process.elementSinr);
}

void NrRan::EmitDirect(const Transmission& t) const
{
    const NrHarqProcess& process = *t.process;
    std::vector<cosim::sim::DirectPiece> pieces;
    uint32_t at = 0;
    for (const auto& segment : process.segments)
    {
        const NrSdu& sdu = *segment.sdu;
        const uint32_t head = sdu.GetProtected(segment.offset, segment.bytes);
        cosim::sim::DirectPiece piece{};
        piece.message_id = sdu.messageId;
        piece.packet = sdu.packetNumber;
        // Contents end where the packet does: counted from there, lower layers do not matter.
        piece.offset = sdu.Size() - segment.offset - head;
        piece.bytes = segment.bytes - head;
        piece.at = at;
        at += piece.bytes;
        pieces.push_back(piece);
    }
    cosim::sim::DirectBlock record{};
    record.t_s = Simulator::Now().GetSeconds();
    record.cell = m_firstCell + m_ues[t.ue].cell;
    record.direction = t.uplink;
    record.ue = t.ue;
    record.delivery = static_cast<uint32_t>(process.delivery);
    record.elements = m_carrier->GetDataElements(process.symbols);
    record.header_elements = process.headerElements;
    record.content_bytes = process.contentBytes;
    record.prb_count = static_cast<uint16_t>(process.prbs);
    record.layers = process.layers;
    record.mcs = process.mcs;
    record.header_mcs = process.headerMcs;
    record.pieces = static_cast<uint32_t>(pieces.size());
    m_sink->Direct(record, pieces, process.elementSinr);
}

} // namespace ns3
