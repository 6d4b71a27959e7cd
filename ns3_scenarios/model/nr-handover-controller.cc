// SPDX-License-Identifier: GPL-2.0-only
#include "nr-handover-controller.h"

#include "ns3/boolean.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrHandoverController);

TypeId NrHandoverController::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrHandoverController")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrHandoverController>()
            .AddAttribute("Enabled",
                          "Whether UEs change their cells",
                          BooleanValue(false),
                          MakeBooleanAccessor(&NrHandoverController::m_enabled),
                          MakeBooleanChecker())
            .AddAttribute("MeasurementPeriod",
                          "Time between measurements of all cells",
                          TimeValue(MilliSeconds(40)),
                          MakeTimeAccessor(&NrHandoverController::m_period),
                          MakeTimeChecker(NanoSeconds(1)))
            .AddAttribute("PreparationTime",
                          "From the report of the event until the UE leaves its cell",
                          TimeValue(MilliSeconds(20)),
                          MakeTimeAccessor(&NrHandoverController::m_preparation),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("InterruptionTime",
                          "From leaving the cell until data flows in the target",
                          TimeValue(MilliSeconds(30)),
                          MakeTimeAccessor(&NrHandoverController::m_interruption),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("PathSwitchTime",
                          "From arriving in the target until the core sends there",
                          TimeValue(MilliSeconds(10)),
                          MakeTimeAccessor(&NrHandoverController::m_pathSwitch),
                          MakeTimeChecker(Time(0)));
    return tid;
}

void NrHandoverController::Configure(Ptr<NrChannelSource> channel,
                                     double powerDbm,
                                     uint32_t cells,
                                     const std::vector<uint32_t>& serving)
{
    m_channel = channel;
    m_powerDbm = powerDbm;
    m_gains.resize(cells);
    m_rsrp.resize(cells);
    m_ues.resize(serving.size());
    for (std::size_t i = 0; i < serving.size(); ++i)
    {
        m_ues[i].cell = serving[i];
        m_ues[i].measurement = CreateObject<NrRsrpMeasurement>();
        m_ues[i].measurement->SetPeriod(m_period);
        m_ues[i].event = CreateObject<NrEventA3>();
    }
}

void NrHandoverController::SetCallbacks(LeaveCallback leave,
                                        CellCallback enter,
                                        CellCallback switchPath)
{
    m_leave = std::move(leave);
    m_enter = std::move(enter);
    m_switchPath = std::move(switchPath);
}

void NrHandoverController::SetGainsCallback(GainsCallback gains)
{
    m_gainsCallback = std::move(gains);
}

void NrHandoverController::Measure(uint32_t number, Time now)
{
    Ue& ue = m_ues[number];
    for (uint32_t cell = 0; cell < m_gains.size(); ++cell)
    {
        m_gains[cell] = m_channel->GetMeanInterference(cell, number);
        m_rsrp[cell] = m_powerDbm + 10.0 * std::log10(std::max(m_gains[cell], 1e-30));
    }
    if (m_gainsCallback)
    {
        m_gainsCallback(number, ue.cell, m_gains);
    }
    if (!m_enabled)
    {
        return;
    }
    ue.measurement->Measure(m_rsrp);
    if (ue.state != State::CONNECTED)
    {
        return;
    }
    if (const auto target = ue.event->Evaluate(now, ue.cell, ue.measurement->Get()))
    {
        ue.state = State::PREPARING;
        ue.target = *target;
        ue.until = now + m_preparation;
    }
}

void NrHandoverController::Step(Time now)
{
    if (now >= m_next)
    {
        m_next = now + m_period;
        for (uint32_t number = 0; number < m_ues.size(); ++number)
        {
            Measure(number, now);
        }
    }
    if (!m_enabled)
    {
        return;
    }
    for (uint32_t number = 0; number < m_ues.size(); ++number)
    {
        Ue& ue = m_ues[number];
        if (ue.state == State::PREPARING && now >= ue.until)
        {
            ue.state = State::INTERRUPTED;
            ue.until = now + m_interruption;
            m_leave(number, ue.target);
        }
        if (ue.state == State::INTERRUPTED && now >= ue.until)
        {
            ue.state = State::CONNECTED;
            ue.cell = ue.target;
            ue.event->Reset();
            ++m_handovers;
            m_enter(number, ue.cell);
            Simulator::Schedule(m_pathSwitch,
                                [this, number, cell = ue.cell] { m_switchPath(number, cell); });
        }
    }
}

void NrHandoverController::SetServing(uint32_t ue, uint32_t cell)
{
    m_ues.at(ue).cell = cell;
}

uint32_t NrHandoverController::GetHandovers() const
{
    return m_handovers;
}

} // namespace ns3
