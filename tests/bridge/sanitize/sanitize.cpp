// SPDX-License-Identifier: MIT
// Both ends of every kind of channel in one process, for ThreadSanitizer and AddressSanitizer. Both
// use one mapping: the sanitizer knows memory by its address. Prints "whole" if every record was.
#include "cosim/bridge/bridge.hpp"
#include "cosim/bridge/host_channels.hpp"

#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

using namespace cosim::bridge;

#define SAMPLE_FIELDS(F, A)          \
    F(std::uint64_t, number)         \
    A(std::uint64_t, words, 5)       \
    F(std::uint32_t, payload_offset) \
    F(std::uint32_t, payload_bytes)
COSIM_RECORD(Sample, SAMPLE_FIELDS);

#define BLOCK_FIELDS(F, A)   \
    F(std::uint64_t, number) \
    F(double, scale)
COSIM_RECORD(Block, BLOCK_FIELDS);

namespace
{

constexpr std::uint64_t kRounds = 3000;
constexpr std::uint64_t kRecords = 40000;
constexpr std::uint64_t kBlocks = 400;
std::atomic<int> g_faults{0};

void Expect(bool condition, const char* what)
{
    if (!condition && g_faults.fetch_add(1) < 5)
    {
        std::printf("broken: %s\n", what);
    }
}

/// A segment as the Python half makes it.
int MakeSegment()
{
    const int fd = ::memfd_create("sanitize", MFD_CLOEXEC);
    Expect(::ftruncate(fd, AlignUp(sizeof(SegmentHeader), kPage)) == 0, "ftruncate");
    void* base = ::mmap(nullptr, sizeof(SegmentHeader), PROT_WRITE, MAP_SHARED, fd, 0);
    auto* header = static_cast<SegmentHeader*>(base);
    header->magic = kMagic;
    header->version = kVersion;
    header->sides[HOST].pid = ::getpid();
    header->sides[HOST].state = static_cast<std::uint32_t>(SideState::RUNNING);
    ::munmap(base, sizeof(SegmentHeader));
    return fd;
}

/// \return where the simulator mapped the segment.
char* FindMapping()
{
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
    {
        if (line.find("memfd:sanitize") != std::string::npos)
        {
            return reinterpret_cast<char*>(std::stoull(line, nullptr, 16));
        }
    }
    return nullptr;
}

template <class News> void WaitFor(Waiter& waiter, News&& news)
{
    while (!waiter.Spin(news) && !waiter.Sleep(news, std::chrono::milliseconds{100}))
    {
    }
}

/// Serves the exchange and reads the stream, as Bridge.wait's user does.
void Host(HostView view)
{
    Waiter waiter(&view.Header().sides[HOST]);
    const ChannelEntry& echo = view.Header().directory[0];
    const ChannelEntry& items = view.Header().directory[1];
    auto* control = view.At<ExchangeControl>(echo.offset);
    std::uint64_t read = 0;
    const auto finished = [&view] {
        return view.Simulator().state.load(std::memory_order_acquire) ==
               static_cast<std::uint32_t>(SideState::FINISHED);
    };
    // The first records are found by their count alone: no doorbell or flag orders them as well.
    while (view.Readable(items, 0).second < 10)
    {
        std::this_thread::yield();
    }
    for (std::uint64_t i = 0; i < 10; ++i)
    {
        Expect(view.At<Sample>(items.recordsOffset[0])[i].words[4] == i * 7, "an early record");
    }
    for (bool over = false; !over;)
    {
        WaitFor(waiter, [&] { return view.IsFresh(echo) || view.IsFresh(items) || finished(); });
        over = finished(); // before the last look: what was pushed before the end is read
        for (auto [at, count] = view.Readable(items, read); count > 0;
             std::tie(at, count) = view.Readable(items, read))
        {
            const auto* records = view.At<Sample>(items.recordsOffset[0]) + at;
            for (std::uint64_t i = 0; i < count; ++i)
            {
                const Sample& r = records[i];
                Expect(r.number == read + i && r.words[0] == r.number * 3 &&
                           r.words[4] == r.number * 7,
                       "a record of the stream");
                const auto* payload =
                    view.At<std::uint8_t>(items.payloadOffset[0] + r.payload_offset);
                for (std::uint32_t k = 0; k < r.payload_bytes; ++k)
                {
                    Expect(payload[k] == static_cast<std::uint8_t>(r.number + k), "a payload");
                }
            }
            read += count;
            view.Release(items, read);
        }
        if (view.IsFresh(echo))
        {
            const auto number = HostView::Request(*control);
            const auto count = control->outRecords;
            for (std::uint32_t i = 0; i < count; ++i)
            {
                view.At<Sample>(echo.recordsOffset[1])[i] =
                    view.At<Sample>(echo.recordsOffset[0])[i];
                view.At<Sample>(echo.recordsOffset[1])[i].words[0] += 1;
            }
            view.Answer(*control, number, count, 0);
        }
    }
    Expect(read == kRecords, "the number of records");
}

/// Publishes blocks from a third thread, as the channel's producer does.
void Producer(HostView view)
{
    Waiter waiter(&view.Header().sides[PRODUCER]);
    const ChannelEntry& e = view.Header().directory[2];
    for (std::uint64_t number = 0; number < kBlocks; ++number)
    {
        WaitFor(waiter, [&] { return view.HasRoom(e); });
        char* slot = view.At<char>(e.recordsOffset[0] + number % e.capacity[0] * e.slotBytes);
        reinterpret_cast<Block*>(slot)->number = number;
        auto* data = reinterpret_cast<float*>(slot + AlignUp(sizeof(Block), kCacheLine));
        for (std::size_t i = 0; i < e.payloadBytes[0] / sizeof(float); ++i)
        {
            data[i] = static_cast<float>(number + i);
        }
        view.Publish(e, number, e.payloadBytes[0]);
    }
}

} // namespace

int main()
{
    const int fd = MakeSegment();
    {
        auto bridge = Bridge::FromDescriptor(fd);
        auto& echo = bridge->AddExchange<Sample, Sample>("echo", 4, 64, 4, 0);
        auto& items = bridge->AddStream<Sample>("items", 64, 1024);
        auto& blocks = bridge->AddBlocks<Block>("blocks", 3, 1024);
        bridge->Start();
        const HostView view{FindMapping()};
        std::thread host(Host, view);
        std::thread producer(Producer, view);
        std::uint8_t bytes[32];
        for (std::uint64_t n = 0; n < kRecords; ++n)
        {
            Sample sample{};
            sample.number = n;
            sample.words[0] = n * 3;
            sample.words[4] = n * 7;
            for (std::size_t k = 0; k < n % 33; ++k)
            {
                bytes[k] = static_cast<std::uint8_t>(n + k);
            }
            items.Push(sample, bytes, n % 33);
            if (n * kRounds / kRecords != (n + 1) * kRounds / kRecords)
            {
                for (std::uint64_t i = 0; i < n % 4 + 1; ++i)
                {
                    echo.Append().words[0] = n + i;
                }
                const auto answer = echo.Call();
                Expect(answer.size() == n % 4 + 1, "the size of an answer");
                for (std::uint64_t i = 0; i < answer.size(); ++i)
                {
                    Expect(answer[i].words[0] == n + i + 1, "an answer");
                }
            }
            if (n * kBlocks / kRecords != (n + 1) * kBlocks / kRecords)
            {
                const std::uint64_t number = n * kBlocks / kRecords;
                Expect(blocks.Wait(number).number == number, "a block's number");
                const auto data = blocks.Data();
                for (std::size_t i = 0; i < data.size(); ++i)
                {
                    Expect(data[i] == static_cast<float>(number + i), "a block's data");
                }
                blocks.Release();
            }
        }
        bridge->Finish();
        host.join();
        producer.join();
    }
    ::close(fd);
    if (g_faults == 0)
    {
        std::puts("whole");
    }
    return g_faults == 0 ? 0 : 1;
}
