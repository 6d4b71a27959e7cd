// SPDX-License-Identifier: GPL-2.0-only
#include "nr-buffer-status.h"

#include <algorithm>

namespace ns3
{

NrBufferStatus::NrBufferStatus(const Config& config, uint32_t offset)
    : m_config(config),
      m_offset(offset % config.requestPeriodSlots)
{
}

void NrBufferStatus::NoteData(uint64_t slot)
{
    if (m_known > 0 || m_requested || m_blocks > 0 || !m_reports.empty())
    {
        return; // the next block's report tells of it
    }
    m_requested = true;
    const uint64_t period = m_config.requestPeriodSlots;
    const uint64_t wait = (m_offset + period - slot % period) % period;
    m_grantFrom = slot + wait + m_config.grantDelaySlots;
}

uint64_t NrBufferStatus::GetKnownBytes(uint64_t slot, uint64_t bytes)
{
    while (!m_reports.empty() && m_reports.front().usableFrom <= slot)
    {
        const NrBufferReport& report = m_reports.front().report;
        if (report.sentBytes >= m_latest)
        {
            // What was granted since the report was written is not in the buffer any more.
            const uint64_t since = m_sent - report.sentBytes;
            m_known = report.bufferBytes - std::min(report.bufferBytes, since);
            m_latest = report.sentBytes;
        }
        m_reports.pop_front();
    }
    if (m_requested && slot >= m_grantFrom)
    {
        m_requested = false;
        const uint64_t first = m_config.firstGrantBytes;
        m_known = first > 0 ? first : bytes;
    }
    if (m_known == 0 && bytes > 0)
    {
        NoteData(slot);
    }
    return std::min(m_known, bytes);
}

NrBufferReport NrBufferStatus::Sent(uint64_t bytes, uint64_t left)
{
    m_known -= std::min(m_known, bytes);
    m_sent += bytes;
    ++m_blocks;
    return {left, m_sent};
}

void NrBufferStatus::Decoded(uint64_t slot, const NrBufferReport& report)
{
    --m_blocks;
    m_reports.push_back({slot + m_config.reportDelaySlots, report});
}

void NrBufferStatus::Lost(uint64_t slot, uint64_t bytes)
{
    --m_blocks;
    if (bytes > 0)
    {
        NoteData(slot);
    }
}

void NrBufferStatus::Reset()
{
    m_known = 0;
    m_blocks = 0;
    m_requested = false;
    m_reports.clear();
}

} // namespace ns3
