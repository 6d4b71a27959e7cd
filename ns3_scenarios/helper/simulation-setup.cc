// SPDX-License-Identifier: GPL-2.0-only
#include "simulation-setup.h"

#include "ns3/config.h"
#include "ns3/string.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

namespace ns3
{

namespace
{

/// One statement: its words, and `name=value` among them.
class Statement
{
  public:
    Statement(uint32_t line, const std::string& text)
        : m_line(line),
          m_stream(text)
    {
    }

    [[noreturn]] void Fail(const std::string& what) const
    {
        throw SetupError("setup line " + std::to_string(m_line) + ": " + what);
    }

    std::string Word(const char* what)
    {
        std::string word;
        if (!(m_stream >> word))
        {
            Fail(std::string("missing ") + what);
        }
        return word;
    }

    std::string Rest()
    {
        std::string rest;
        std::getline(m_stream >> std::ws, rest);
        return rest;
    }

    double Number(const char* what)
    {
        return ToNumber(Word(what), what);
    }

    uint32_t Count(const char* what)
    {
        return ToCount(Word(what), what);
    }

    /// Reads the rest as name=value.
    void ReadOptions(const std::set<std::string>& allowed)
    {
        std::string word;
        while (m_stream >> word)
        {
            const auto equals = word.find('=');
            const std::string name = word.substr(0, equals);
            if (equals == std::string::npos || !allowed.contains(name))
            {
                std::string names;
                for (const auto& one : allowed)
                {
                    names += (names.empty() ? "" : ", ") + one;
                }
                Fail("'" + word + "': name=value expected, with one of: " + names);
            }
            m_options[name] = word.substr(equals + 1);
        }
    }

    bool Has(const std::string& name) const
    {
        return m_options.contains(name);
    }

    const std::string& Option(const std::string& name) const
    {
        const auto found = m_options.find(name);
        if (found == m_options.end())
        {
            Fail("missing " + name + "=");
        }
        return found->second;
    }

    double NumberOption(const std::string& name) const
    {
        return ToNumber(Option(name), name);
    }

    uint32_t CountOption(const std::string& name) const
    {
        return ToCount(Option(name), name);
    }

    double ToNumber(const std::string& word, const std::string& what) const
    {
        // Not std::stod, which refuses numbers that are nearly 0.
        char* end = nullptr;
        const double value = std::strtod(word.c_str(), &end);
        if (word.empty() || end != word.c_str() + word.size() || !std::isfinite(value))
        {
            Fail(what + " is '" + word + "', not a finite number");
        }
        return value;
    }

  private:
    uint32_t ToCount(const std::string& word, const std::string& what) const
    {
        const double value = ToNumber(word, what);
        if (value < 0 || value > 4294967295.0 || value != std::floor(value))
        {
            Fail(what + " is '" + word + "', not a whole number from 0 to 4294967295");
        }
        return static_cast<uint32_t>(value);
    }

    uint32_t m_line;
    std::istringstream m_stream;
    std::map<std::string, std::string> m_options;
};

/// Options of a flow's RLC and PDCP entities.
const std::set<std::string> BEARER_OPTIONS{"rlc",
                                           "sn_bits",
                                           "in_order",
                                           "reordering_ms",
                                           "discard_timer_ms",
                                           "queue_bytes",
                                           "prioritised_bps",
                                           "bucket_ms",
                                           "filter",
                                           "dscp",
                                           "part",
                                           "delivery"};

/// Reads the options of a flow's RLC and PDCP entities.
void ReadBearer(const Statement& s, NrFlowConfig& flow)
{
    if (s.Has("rlc"))
    {
        const auto& mode = s.Option("rlc");
        if (mode != "um" && mode != "am")
        {
            s.Fail("rlc is '" + mode + "': um or am");
        }
        flow.acknowledged = mode == "am";
    }
    if (s.Has("delivery"))
    {
        const auto& delivery = s.Option("delivery");
        if (delivery != "packet" && delivery != "bits" && delivery != "symbols")
        {
            s.Fail("delivery is '" + delivery + "': packet, bits or symbols");
        }
        flow.delivery = delivery == "packet" ? NrDelivery::PACKET
                        : delivery == "bits" ? NrDelivery::BITS
                                             : NrDelivery::SYMBOLS;
        if (flow.acknowledged && flow.delivery != NrDelivery::PACKET)
        {
            s.Fail("delivery=" + delivery + " needs rlc=um");
        }
    }
    if (s.Has("sn_bits"))
    {
        const uint32_t bits = s.CountOption("sn_bits");
        if (bits != 12 && bits != 18)
        {
            s.Fail("sn_bits is " + std::to_string(bits) + ": 12 or 18");
        }
        flow.snBits = static_cast<uint8_t>(bits);
    }
    if (s.Has("prioritised_bps"))
    {
        flow.prioritisedRate = s.NumberOption("prioritised_bps") / 8.0;
    }
    if (s.Has("bucket_ms"))
    {
        flow.bucket = Seconds(1e-3 * s.NumberOption("bucket_ms"));
    }
    flow.inOrder = s.Has("in_order") && s.CountOption("in_order") != 0;
    if (s.Has("reordering_ms"))
    {
        flow.reordering = Seconds(1e-3 * s.NumberOption("reordering_ms"));
    }
    if (s.Has("discard_timer_ms"))
    {
        flow.discardTimer = Seconds(1e-3 * s.NumberOption("discard_timer_ms"));
    }
    if (s.Has("queue_bytes"))
    {
        flow.queueBytes = s.CountOption("queue_bytes");
    }
}

/// Reads what is in a flow's packets and which of them are its own.
void ReadFilter(const Statement& s, SetupFlow& flow)
{
    const uint32_t port = s.CountOption("port");
    if (port == 0 || port > 65535)
    {
        s.Fail("port is " + std::to_string(port) + ": 1 to 65535");
    }
    flow.port = static_cast<uint16_t>(port);
    const uint32_t dscp = s.Has("dscp") ? s.CountOption("dscp") : 0;
    if (dscp > 63)
    {
        s.Fail("dscp is " + std::to_string(dscp) + ": 0 to 63");
    }
    flow.dscp = static_cast<uint8_t>(dscp);
    const std::string filter = s.Has("filter") ? s.Option("filter") : "port";
    if (filter != "port" && filter != "dscp")
    {
        s.Fail("filter is '" + filter + "': port or dscp");
    }
    flow.radio.filter = filter == "port" ? NrPacketFilter{NrPacketFilter::Kind::TO, flow.port}
                                         : NrPacketFilter{NrPacketFilter::Kind::DSCP, flow.dscp};
}

/// \return a flow read from a statement
SetupFlow ReadFlow(Statement& s)
{
    SetupFlow flow;
    flow.radio.flow = s.Count("flow number");
    std::set<std::string> allowed{"ue",
                                  "direction",
                                  "kind",
                                  "port",
                                  "fiveqi",
                                  "priority",
                                  "budget_ms",
                                  "discard",
                                  "max_harq_tx",
                                  "important_from",
                                  "less_harq_tx",
                                  "mcs_backoff",
                                  "notify",
                                  "source",
                                  "rate_bps",
                                  "packet_bytes",
                                  "start_s",
                                  "stop_s"};
    allowed.insert(BEARER_OPTIONS.begin(), BEARER_OPTIONS.end());
    s.ReadOptions(allowed);
    flow.radio.ue = s.CountOption("ue");
    const auto& direction = s.Option("direction");
    if (direction != "ul" && direction != "dl")
    {
        s.Fail("direction is '" + direction + "': ul or dl");
    }
    flow.radio.uplink = direction == "ul";
    ReadFilter(s, flow);
    flow.radio.part = s.Has("part") ? s.CountOption("part") : 0;
    const uint32_t backoff = s.Has("mcs_backoff") ? s.CountOption("mcs_backoff") : 0;
    flow.radio.mcsBackoff = static_cast<uint8_t>(std::min(backoff, 28U));
    flow.radio.fiveqi = static_cast<uint8_t>(s.Has("fiveqi") ? s.CountOption("fiveqi") : 9);
    flow.radio.priority = static_cast<uint8_t>(s.Has("priority") ? s.CountOption("priority") : 90);
    if (s.Has("budget_ms"))
    {
        flow.radio.budget = Seconds(1e-3 * s.NumberOption("budget_ms"));
    }
    flow.radio.discard = s.Has("discard") && s.CountOption("discard") != 0;
    ReadBearer(s, flow.radio);
    flow.radio.maxHarqTx = s.Has("max_harq_tx") ? s.CountOption("max_harq_tx") : 0;
    flow.radio.lessHarqTx = s.Has("less_harq_tx") ? s.CountOption("less_harq_tx") : 0;
    flow.radio.importantFrom = s.Has("important_from") ? s.NumberOption("important_from") : 0.0;
    flow.notify = s.Has("notify") && s.CountOption("notify") != 0;
    const auto& kind = s.Option("kind");
    if (kind != "semantic" && kind != "cbr" && kind != "source" && kind != "tcp")
    {
        s.Fail("kind is '" + kind + "': semantic, cbr, source or tcp");
    }
    flow.background = kind != "semantic";
    flow.tcp = kind == "tcp";
    if (kind == "source")
    {
        flow.source = s.Option("source");
    }
    if (kind == "cbr")
    {
        flow.rateBps = s.NumberOption("rate_bps");
        flow.packetBytes = s.CountOption("packet_bytes");
        if (flow.rateBps <= 0 || flow.packetBytes == 0)
        {
            s.Fail("rate_bps and packet_bytes must be above 0");
        }
    }
    if (flow.background)
    {
        flow.start = Seconds(s.Has("start_s") ? s.NumberOption("start_s") : 0.0);
        if (s.Has("stop_s"))
        {
            flow.stop = Seconds(s.NumberOption("stop_s"));
        }
    }
    return flow;
}

/// Reads what is known of a flow's messages.
void ReadProfile(Statement& s, SimulationSetup& setup)
{
    const uint32_t number = s.Count("flow number");
    s.ReadOptions({"message_bytes", "accuracy"});
    std::vector<double> accuracy;
    std::istringstream list(s.Option("accuracy"));
    for (std::string word; std::getline(list, word, ',');)
    {
        accuracy.push_back(s.ToNumber(word, "accuracy"));
    }
    for (auto& flow : setup.flows)
    {
        if (flow.radio.flow == number)
        {
            try
            {
                flow.radio.semantic =
                    NrSemanticProfile(s.NumberOption("message_bytes"), std::move(accuracy));
            }
            catch (const std::invalid_argument& error)
            {
                s.Fail(error.what());
            }
            return;
        }
    }
    s.Fail("there is no flow " + std::to_string(number) + " before this line");
}

} // namespace

SimulationSetup SimulationSetup::Parse(const std::string& text)
{
    SimulationSetup setup;
    std::istringstream lines(text);
    std::string line;
    uint32_t number = 0;
    while (std::getline(lines, line))
    {
        ++number;
        line = line.substr(0, line.find('#'));
        if (line.find_first_not_of(" \t\r") == std::string::npos)
        {
            continue;
        }
        Statement s(number, line);
        const std::string word = s.Word("statement");
        if (word == "default")
        {
            const std::string name = s.Word("attribute");
            const std::string value = s.Rest();
            if (!Config::SetDefaultFailSafe(name, StringValue(value)))
            {
                s.Fail("there is no attribute '" + name + "', or it cannot be '" + value + "'");
            }
        }
        else if (word == "global")
        {
            const std::string name = s.Word("name");
            if (!Config::SetGlobalFailSafe(name, StringValue(s.Rest())))
            {
                s.Fail("no global value '" + name + "', or not such a value for it");
            }
        }
        else if (word == "duration_s")
        {
            const double seconds = s.Number("duration_s");
            if (seconds <= 0)
            {
                s.Fail("duration_s must be above 0");
            }
            setup.duration = Seconds(seconds);
        }
        else if (word == "backhaul")
        {
            s.ReadOptions({"rate_bps", "delay_s", "mtu_bytes"});
            setup.backhaulRate = DataRate(static_cast<uint64_t>(s.NumberOption("rate_bps")));
            setup.backhaulDelay = Seconds(s.NumberOption("delay_s"));
            setup.backhaulMtu = static_cast<uint16_t>(s.CountOption("mtu_bytes"));
        }
        else if (word == "bandwidth_part")
        {
            const uint32_t index = s.Count("number");
            if (index != setup.parts.size() + 1)
            {
                s.Fail("bandwidth_part " + std::to_string(index) + ": numbers go up by one, " +
                       std::to_string(setup.parts.size() + 1) + " is next");
            }
            s.ReadOptions({"numerology", "prbs", "tdd_pattern"});
            setup.parts.push_back({s.CountOption("numerology"),
                                   s.CountOption("prbs"),
                                   s.Has("tdd_pattern") ? s.Option("tdd_pattern") : ""});
        }
        else if (word == "cell" || word == "ue")
        {
            const bool cell = word == "cell";
            const uint32_t index = s.Count("number");
            const std::size_t expected = cell ? setup.cells.size() : setup.ues.size();
            if (index != expected)
            {
                s.Fail(word + " " + std::to_string(index) + ": numbers go up by one, " +
                       std::to_string(expected) + " is next");
            }
            const double x = s.Number("x");
            const double y = s.Number("y");
            const double z = s.Number("z");
            if (cell)
            {
                setup.cells.emplace_back(x, y, z);
            }
            else
            {
                s.ReadOptions({"cell"});
                setup.ues.push_back({Vector(x, y, z), s.CountOption("cell"), {}});
                if (setup.ues.back().cell >= setup.cells.size())
                {
                    s.Fail("cell=" + std::to_string(setup.ues.back().cell) +
                           ": there is no such cell before this line");
                }
            }
        }
        else if (word == "waypoint")
        {
            const uint32_t index = s.Count("UE");
            const Time time = Seconds(s.Number("time"));
            const double x = s.Number("x");
            const double y = s.Number("y");
            const double z = s.Number("z");
            if (index >= setup.ues.size())
            {
                s.Fail("there is no UE " + std::to_string(index) + " before this line");
            }
            auto& waypoints = setup.ues[index].waypoints;
            if (time <= (waypoints.empty() ? Time(0) : waypoints.back().first))
            {
                s.Fail("times of a UE's waypoints must go up from 0");
            }
            waypoints.emplace_back(time, Vector(x, y, z));
        }
        else if (word == "flow")
        {
            setup.flows.push_back(ReadFlow(s));
            const auto& flow = setup.flows.back().radio;
            if (flow.ue >= setup.ues.size())
            {
                s.Fail("ue=" + std::to_string(flow.ue) + ": there is no such UE before this line");
            }
            if (flow.part > setup.parts.size())
            {
                s.Fail("part=" + std::to_string(flow.part) +
                       ": there is no such bandwidth part before this line");
            }
            for (std::size_t i = 0; i + 1 < setup.flows.size(); ++i)
            {
                if (setup.flows[i].radio.flow == flow.flow ||
                    setup.flows[i].port == setup.flows.back().port)
                {
                    s.Fail("flow number or port is that of an earlier flow");
                }
            }
        }
        else if (word == "semantic")
        {
            ReadProfile(s, setup);
        }
        else
        {
            s.Fail("unknown statement '" + word +
                   "': default, global, duration_s, backhaul, bandwidth_part, cell, ue, waypoint, "
                   "flow or semantic");
        }
    }
    if (setup.duration.IsZero() || setup.cells.empty() || setup.ues.empty())
    {
        throw SetupError("the setup needs a duration_s, a cell and a ue");
    }
    return setup;
}

} // namespace ns3
