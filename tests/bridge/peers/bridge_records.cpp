// SPDX-License-Identifier: MIT
// Sends every record of cosim/sim/records.hpp with a known value in each field, and checks the
// record that comes back in the same way. Elements are numbered 1, 2, 3, … in declaration order.
#include "cosim/bridge/bridge.hpp"
#include "cosim/sim/records.hpp"

#include <cstdio>
#include <type_traits>

using namespace cosim::bridge;

#define ALL_TYPES_FIELDS(F, A) \
    F(bool, flag)              \
    F(std::int8_t, i8)         \
    F(std::uint8_t, u8)        \
    F(std::int16_t, i16)       \
    F(std::uint16_t, u16)      \
    F(std::int32_t, i32)       \
    F(std::uint32_t, u32)      \
    F(std::int64_t, i64)       \
    F(std::uint64_t, u64)      \
    F(float, f32)              \
    F(double, f64)             \
    A(char, text, 16)          \
    A(float, vector, 5)        \
    A(std::uint16_t, words, 3)

namespace peer
{
COSIM_RECORD(AllTypes, ALL_TYPES_FIELDS);
}

template <class T> T Value(int n)
{
    if constexpr (std::is_same_v<T, bool>)
    {
        return true;
    }
    else if constexpr (std::is_floating_point_v<T>)
    {
        return static_cast<T>(n + 0.5);
    }
    else if constexpr (std::is_same_v<T, char>)
    {
        return static_cast<char>('a' + n % 26);
    }
    else if constexpr (std::is_signed_v<T>)
    {
        return static_cast<T>(-n);
    }
    else
    {
        return static_cast<T>(n);
    }
}

#define FILL_FIELD(type, name) record.name = Value<type>(++n);
#define FILL_ARRAY(type, name, count) \
    for (auto& x : record.name)       \
    {                                 \
        x = Value<type>(++n);         \
    }
#define CHECK_FIELD(type, name) wrong += record.name != Value<type>(++n);
#define CHECK_ARRAY(type, name, count)  \
    for (const auto& x : record.name)   \
    {                                   \
        wrong += x != Value<type>(++n); \
    }

#define TURN(Record, FIELDS)                              \
    {                                                     \
        int n = 0;                                        \
        Record& out = exchange##Record->Append();         \
        Record& record = out;                             \
        FIELDS(FILL_FIELD, FILL_ARRAY)                    \
    }                                                     \
    for (const Record& record : exchange##Record->Call()) \
    {                                                     \
        int n = 0;                                        \
        FIELDS(CHECK_FIELD, CHECK_ARRAY)                  \
    }

#define EACH(X)                                             \
    X(SetupRequest, COSIM_SETUP_REQUEST_FIELDS)             \
    X(SetupPart, COSIM_SETUP_PART_FIELDS)                   \
    X(NodeEvent, COSIM_NODE_EVENT_FIELDS)                   \
    X(NodeAction, COSIM_NODE_ACTION_FIELDS)                 \
    X(PacketDescriptor, COSIM_PACKET_DESCRIPTOR_FIELDS)     \
    X(SlotRecord, COSIM_SLOT_FIELDS)                        \
    X(PacketRecord, COSIM_PACKET_FIELDS)                    \
    X(KpiRecord, COSIM_KPI_FIELDS)                          \
    X(DeliveryRecord, COSIM_DELIVERY_FIELDS)                \
    X(CounterRecord, COSIM_COUNTER_FIELDS)                  \
    X(ChannelBlock, COSIM_CHANNEL_BLOCK_FIELDS)             \
    X(DirectBlock, COSIM_DIRECT_BLOCK_FIELDS)               \
    X(DirectPiece, COSIM_DIRECT_PIECE_FIELDS)               \
    X(SchedulerCandidate, COSIM_SCHEDULER_CANDIDATE_FIELDS) \
    X(SchedulerDecision, COSIM_SCHEDULER_DECISION_FIELDS)   \
    X(TruthRecord, COSIM_TRUTH_FIELDS)                      \
    X(AllTypes, ALL_TYPES_FIELDS)

#define DECLARE(Record, FIELDS) \
    auto* exchange##Record = &bridge->AddExchange<Record, Record>(#Record, 1, 0, 1, 0);

int main()
{
    using namespace cosim::sim;
    using peer::AllTypes;
    auto bridge = Bridge::FromEnvironment();
    EACH(DECLARE)
    bridge->Start();
    int wrong = 0;
    EACH(TURN)
    if (wrong != 0)
    {
        bridge->Fail(std::to_string(wrong) + " fields came back wrong");
        return 1;
    }
    bridge->Finish();
}
