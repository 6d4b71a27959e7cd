// SPDX-License-Identifier: MIT
// The simulator's side of the bridge's tests: one behaviour a run, chosen by the first argument.
#include "cosim/bridge/bridge.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

using namespace cosim::bridge;
using std::chrono::milliseconds;

#define SAMPLE_FIELDS(F, A)          \
    F(std::uint64_t, number)         \
    F(std::uint64_t, checksum)       \
    A(float, values, 16)             \
    F(std::uint32_t, payload_offset) \
    F(std::uint32_t, payload_bytes)
COSIM_RECORD(Sample, SAMPLE_FIELDS);

// 64 bytes: the record of the throughput measurements.
#define ITEM_FIELDS(F, A)      \
    F(std::uint64_t, number)   \
    F(std::uint64_t, checksum) \
    A(std::uint64_t, words, 6)
COSIM_RECORD(Item, ITEM_FIELDS);

#define BLOCK_FIELDS(F, A)   \
    F(std::uint64_t, number) \
    F(double, scale)
COSIM_RECORD(Block, BLOCK_FIELDS);

namespace
{

std::vector<std::string> g_arguments;

std::uint64_t Argument(std::size_t index, std::uint64_t otherwise)
{
    return index < g_arguments.size() ? std::stoull(g_arguments[index]) : otherwise;
}

/// A number that depends on every bit of `x` (the finaliser of SplitMix64).
std::uint64_t Mix(std::uint64_t x)
{
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

Item MakeItem(std::uint64_t number)
{
    Item item{};
    item.number = number;
    for (std::uint64_t i = 0; i < 6; ++i)
    {
        item.words[i] = Mix(number * 6 + i);
        item.checksum ^= item.words[i];
    }
    return item;
}

int Fail(Bridge& bridge, const std::string& reason)
{
    bridge.Fail(reason);
    return 1;
}

/// echo ROUNDS BATCH: batches of samples; each must come back doubled.
int Echo(Bridge& bridge)
{
    const auto rounds = Argument(1, 1);
    const auto batch = Argument(2, 1);
    auto& echo = bridge.AddExchange<Sample, Sample>("echo", batch, 0, batch, 0);
    bridge.Start();
    for (std::uint64_t round = 0; round < rounds; ++round)
    {
        for (std::uint64_t i = 0; i < batch; ++i)
        {
            Sample& sample = echo.Append();
            sample.number = round;
            for (int k = 0; k < 16; ++k)
            {
                sample.values[k] = static_cast<float>((round + i + k) % 1000);
            }
        }
        const auto answer = echo.Call();
        if (answer.size() != batch)
        {
            return Fail(bridge, "an answer has the wrong number of records");
        }
        for (std::uint64_t i = 0; i < batch; ++i)
        {
            for (int k = 0; k < 16; ++k)
            {
                if (answer[i].values[k] != 2.0F * static_cast<float>((round + i + k) % 1000) ||
                    answer[i].number != round)
                {
                    return Fail(bridge, "round " + std::to_string(round) + " came back wrong");
                }
            }
        }
    }
    bridge.Finish();
    return 0;
}

/// payload ROUNDS: a payload of 0, 1, 2, … bytes, which must come back reversed.
int Payload(Bridge& bridge)
{
    const auto rounds = Argument(1, 64);
    auto& channel = bridge.AddExchange<Sample, Sample>("echo", 4, 1 << 16, 4, 1 << 16);
    bridge.Start();
    for (std::uint64_t round = 0; round < rounds; ++round)
    {
        std::vector<std::uint8_t> bytes(round);
        for (std::uint64_t i = 0; i < round; ++i)
        {
            bytes[i] = static_cast<std::uint8_t>(Mix(round + i));
        }
        channel.AttachPayload(channel.Append(), bytes.data(), bytes.size());
        const auto answer = channel.Call();
        const auto back = channel.Payload(answer[0]);
        if (!std::equal(back.begin(), back.end(), bytes.rbegin(), bytes.rend()))
        {
            return Fail(bridge, "a payload came back wrong");
        }
    }
    bridge.Finish();
    return 0;
}

/// stream RECORDS CAPACITY: numbered, checksummed items.
int Stream(Bridge& bridge)
{
    const auto records = Argument(1, 1000);
    auto& stream = bridge.AddStream<Item>("items", Argument(2, 64));
    bridge.Start();
    for (std::uint64_t i = 0; i < records; ++i)
    {
        stream.Push(MakeItem(i));
    }
    bridge.Finish();
    return 0;
}

/// stream-payload RECORDS CAPACITY BYTES: payloads of changing length, each a run of one byte.
int StreamPayload(Bridge& bridge)
{
    const auto records = Argument(1, 1000);
    const auto ring = Argument(3, 4096);
    auto& stream = bridge.AddStream<Sample>("items", Argument(2, 64), ring);
    bridge.Start();
    std::vector<std::uint8_t> bytes(ring);
    for (std::uint64_t i = 0; i < records; ++i)
    {
        Sample sample{};
        sample.number = i;
        const std::size_t size = Mix(i) % (ring / 2 + 1);
        std::memset(bytes.data(), static_cast<int>(Mix(i) & 0xff), size);
        stream.Push(sample, bytes.data(), size);
    }
    bridge.Finish();
    return 0;
}

/// flush: three records far below any threshold, flushed, then silence until the host answers.
int FlushFew(Bridge& bridge)
{
    auto& stream = bridge.AddStream<Item>("items", 1024);
    auto& echo = bridge.AddExchange<Sample, Sample>("echo", 1, 0, 1, 0);
    bridge.Start();
    for (std::uint64_t i = 0; i < 3; ++i)
    {
        stream.Push(MakeItem(i));
    }
    stream.Flush();
    std::this_thread::sleep_for(milliseconds(500));
    echo.Append();
    echo.Call();
    bridge.Finish();
    return 0;
}

/// both ROUNDS: a stream and an exchange in one segment, interleaved.
int Both(Bridge& bridge)
{
    auto& stream = bridge.AddStream<Item>("items", 32);
    auto& echo = bridge.AddExchange<Sample, Sample>("echo", 1, 0, 1, 0);
    bridge.Start();
    std::uint64_t number = 0;
    for (std::uint64_t round = 0; round < Argument(1, 100); ++round)
    {
        for (std::uint64_t i = 0; i < round % 70; ++i)
        {
            stream.Push(MakeItem(number++));
        }
        echo.Append().number = number;
        if (echo.Call()[0].number != number + 1)
        {
            return Fail(bridge, "an answer is wrong");
        }
    }
    bridge.Finish();
    return 0;
}

/// blocks BLOCKS SLOTS BYTES [KEPT_US]: reads blocks whose floats are scale + index.
int Blocks(Bridge& bridge)
{
    const auto bytes = Argument(3, 4096);
    auto& blocks = bridge.AddBlocks<Block>("blocks", Argument(2, 4), bytes);
    bridge.Start();
    for (std::uint64_t number = 0; number < Argument(1, 100); ++number)
    {
        const Block& header = blocks.Wait(number);
        const auto data = blocks.Data();
        if (header.number != number || data.size() != bytes / sizeof(float))
        {
            return Fail(bridge, "a block has the wrong number or size");
        }
        for (std::size_t i = 0; i < data.size(); ++i)
        {
            if (data[i] != static_cast<float>(header.scale + static_cast<double>(i)))
            {
                return Fail(bridge, "a block has wrong data");
            }
        }
        ::usleep(static_cast<useconds_t>(Argument(4, 0)));
        blocks.Release();
    }
    bridge.Finish();
    return 0;
}

/// too-large: every way to exceed what was declared; prints each error.
int TooLarge(Bridge& bridge)
{
    auto& echo = bridge.AddExchange<Sample, Sample>("echo", 2, 100, 1, 0);
    auto& stream = bridge.AddStream<Sample>("items", 8, 1000);
    auto& blocks = bridge.AddBlocks<Block>("blocks", 2, 64);
    const auto attempt = [](const char* what, auto&& action) {
        try
        {
            action();
            std::printf("%s: no error\n", what);
        }
        catch (const BridgeError& error)
        {
            std::printf("%s: %s\n", what, error.what());
        }
    };
    attempt("early append", [&] { echo.Append(); });
    attempt("early push", [&] { stream.Push(Sample{}); });
    attempt("early flush", [&] { stream.Flush(); });
    attempt("early block", [&] { blocks.Wait(0); });
    attempt("same name", [&] { bridge.AddStream<Sample>("items", 8); });
    attempt("long name", [&] { bridge.AddStream<Sample>(std::string(80, 'x'), 8); });
    attempt("no capacity", [&] { bridge.AddStream<Sample>("one", 1); });
    attempt("too many", [&] { bridge.AddStream<Sample>("many", std::size_t{1} << 60); });
    attempt("too big", [&] { bridge.AddStream<Sample>("big", 4, std::size_t{1} << 33); });
    bridge.Start();
    attempt("late", [&] { bridge.AddStream<Sample>("late", 8); });
    attempt("twice", [&] { bridge.Start(); });
    attempt("payload",
            [&] { echo.AttachPayload(echo.Append(), std::string(101, 'x').data(), 101); });
    attempt("records", [&] {
        echo.Append();
        echo.Append();
    });
    attempt("stream payload", [&] { stream.Push(Sample{}, std::string(501, 'x').data(), 501); });
    attempt("block order", [&] { blocks.Wait(1); });
    attempt("await", [&] { echo.Await(); });
    std::fflush(stdout);
    bridge.Finish();
    return 0;
}

/// timeout: waits 0.2 s for an answer, then as long as it takes.
int TimeOut(Bridge& bridge)
{
    auto& echo = bridge.AddExchange<Sample, Sample>("echo", 1, 0, 1, 0);
    bridge.Start();
    for (std::uint64_t round = 0; round < 3; ++round)
    {
        echo.Append().number = round;
        std::span<const Sample> answer;
        try
        {
            answer = echo.Call(milliseconds(200));
        }
        catch (const Timeout&)
        {
            std::printf("timeout\n");
            std::fflush(stdout);
            try
            {
                echo.Append();
                return Fail(bridge, "a record was appended to a batch that is with the host");
            }
            catch (const BridgeError&)
            {
            }
            answer = echo.Await();
        }
        if (answer[0].number != round)
        {
            return Fail(bridge, "the answer belongs to another round");
        }
    }
    bridge.Finish();
    return 0;
}

/// unread: pushes into a stream that nobody reads, with a limit of 0.3 s.
int Unread(Bridge& bridge)
{
    auto& stream = bridge.AddStream<Item>("items", 8);
    auto& echo = bridge.AddExchange<Sample, Sample>("echo", 1, 0, 1, 0);
    static_cast<void>(echo);
    bridge.SetTimeout(milliseconds(Argument(1, 300)));
    bridge.Start();
    for (std::uint64_t i = 0;; ++i)
    {
        stream.Push(MakeItem(i));
    }
}

/// huge BYTES: a segment that does not fit.
int Huge(Bridge& bridge)
{
    for (int i = 0; i < 16; ++i)
    {
        std::string name("s");
        name += std::to_string(i);
        bridge.AddStream<Item>(name, 16, Argument(1, 1) / 16);
    }
    bridge.Start();
    bridge.Finish();
    return 0;
}

/// soak SECONDS: everything at once until it is killed.
int Soak(Bridge& bridge)
{
    auto& stream = bridge.AddStream<Item>("items", 256);
    auto& echo = bridge.AddExchange<Sample, Sample>("echo", 4, 0, 4, 0);
    bridge.Start();
    std::uint64_t number = 0;
    const auto end = Clock::now() + std::chrono::seconds(Argument(1, 60));
    while (Clock::now() < end)
    {
        for (int i = 0; i < 100; ++i)
        {
            stream.Push(MakeItem(number++));
        }
        echo.Append().number = number;
        if (echo.Call()[0].number != number + 1)
        {
            return Fail(bridge, "an answer is wrong");
        }
    }
    bridge.Finish();
    return 0;
}

int Run(const std::string& mode)
{
    if (mode == "silent")
    {
        ::pause(); // never says a word
    }
    if (mode == "exit")
    {
        return 7;
    }
    auto bridge = Bridge::FromEnvironment();
    const auto idle = [&] {
        bridge->AddExchange<Sample, Sample>("echo", 1, 0, 1, 0);
        bridge->Start();
    };
    if (mode == "hang")
    {
        idle();
        ::pause();
    }
    if (mode == "busy")
    {
        idle();
        for (volatile bool go = true; go;)
        {
        }
    }
    if (mode == "crash")
    {
        idle();
        std::abort();
    }
    if (mode == "leave")
    {
        idle();
        return 3; // without Finish
    }
    if (mode == "fail")
    {
        idle();
        bridge->Fail("the simulated world ended");
        return 1;
    }
    if (mode == "late")
    {
        std::this_thread::sleep_for(milliseconds(300));
        return Echo(*bridge);
    }
    if (mode == "afterwards")
    {
        idle();
        bridge->Finish();
        std::this_thread::sleep_for(milliseconds(700)); // writes its own results, say
        std::printf("written\n");
        return 0;
    }
    return mode == "echo"             ? Echo(*bridge)
           : mode == "payload"        ? Payload(*bridge)
           : mode == "stream"         ? Stream(*bridge)
           : mode == "stream-payload" ? StreamPayload(*bridge)
           : mode == "flush"          ? FlushFew(*bridge)
           : mode == "both"           ? Both(*bridge)
           : mode == "blocks"         ? Blocks(*bridge)
           : mode == "too-large"      ? TooLarge(*bridge)
           : mode == "timeout"        ? TimeOut(*bridge)
           : mode == "unread"         ? Unread(*bridge)
           : mode == "huge"           ? Huge(*bridge)
           : mode == "soak"           ? Soak(*bridge)
                                      : 64;
}

} // namespace

int main(int argc, char** argv)
{
    g_arguments.assign(argv + 1, argv + argc);
    try
    {
        return Run(g_arguments.empty() ? "" : g_arguments[0]);
    }
    catch (const PeerDied& error)
    {
        std::fprintf(stderr, "%s\n", error.what());
        return 4;
    }
    catch (const Timeout& error)
    {
        std::fprintf(stderr, "%s\n", error.what());
        return 5;
    }
    catch (const BridgeError& error)
    {
        std::fprintf(stderr, "%s\n", error.what());
        return 6;
    }
}
