// SPDX-License-Identifier: MIT
// The C++ side of bench.py, one measurement a run, and the two yardsticks: a futex and a spin
// between two C++ processes. Prints one JSON line.
#include "cosim/bridge/bridge.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

using namespace cosim::bridge;

#define SAMPLE_FIELDS(F, A) A(float, values, 16)
COSIM_RECORD(Sample, SAMPLE_FIELDS); // 64 bytes

#define BLOCK_FIELDS(F, A)   \
    F(std::uint64_t, number) \
    F(double, scale)
COSIM_RECORD(Block, BLOCK_FIELDS);

namespace
{

std::vector<std::string> g_arguments;

std::uint64_t Argument(std::size_t index)
{
    return std::stoull(g_arguments.at(index));
}

double Now()
{
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

double CpuSeconds(int who)
{
    rusage usage{};
    ::getrusage(who, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// Latencies in seconds. The machine is shared: the best tenth of the run (by median) shows what
/// the code costs, the whole what one got.
void Report(const std::vector<double>& latencies, double wall, double cpu)
{
    const auto quantile = [](std::vector<double> v, double q) {
        const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(v.size() - 1));
        std::nth_element(v.begin(), v.begin() + at, v.end());
        return 1e6 * v[static_cast<std::size_t>(at)];
    };
    const std::size_t block = std::max<std::size_t>(latencies.size() / 10, 1);
    double best = 1e9;
    double best99 = 1e9;
    for (std::size_t i = 0; i + block <= latencies.size(); i += block)
    {
        const std::vector<double> part(latencies.begin() + static_cast<std::ptrdiff_t>(i),
                                       latencies.begin() + static_cast<std::ptrdiff_t>(i + block));
        const double median = quantile(part, 0.5);
        if (median < best)
        {
            best = median;
            best99 = quantile(part, 0.99);
        }
    }
    std::printf("{\"n\": %zu, \"best\": %.3f, \"best_p99\": %.3f, \"median\": %.3f, \"p99\": %.3f, "
                "\"wall_s\": %.3f, \"cpu_s\": %.3f, \"start\": %.6f, \"end\": %.6f}\n",
                latencies.size(),
                best,
                best99,
                quantile(latencies, 0.5),
                quantile(latencies, 0.99),
                wall,
                cpu,
                Now() - wall,
                Now());
    std::fflush(stdout);
}

/// echo SECONDS BATCH START: batches there and back for a time, from an instant of the clock on.
int Echo(Bridge& bridge)
{
    const auto batch = Argument(2);
    auto& echo = bridge.AddExchange<Sample, Sample>("echo", batch, 0, batch, 0);
    bridge.Start();
    std::vector<double> latencies;
    const double limit = std::stod(g_arguments.at(1));
    for (int i = 0; i < 200; ++i)
    {
        echo.Append();
        echo.Call();
    }
    latencies.reserve(1 << 22);
    while (Now() < std::stod(g_arguments.at(3)))
    {
        ::usleep(1000);
    }
    const double start = Now();
    const double cpu = CpuSeconds(RUSAGE_SELF);
    for (double before = Now(); before - start < limit && latencies.size() < latencies.capacity();)
    {
        for (std::uint64_t i = 0; i < batch; ++i)
        {
            echo.Append().values[0] = static_cast<float>(i);
        }
        float sum = 0.0F; // the answer is read, so that its lines really travel
        for (const Sample& answer : echo.Call())
        {
            sum += answer.values[0];
        }
        if (sum != static_cast<float>(batch * (batch - 1) / 2))
        {
            return 2;
        }
        const double now = Now();
        latencies.push_back(now - before);
        before = now;
    }
    Report(latencies, Now() - start, CpuSeconds(RUSAGE_SELF) - cpu);
    bridge.Finish();
    return 0;
}

/// pingpong futex|spin SECONDS BATCH: as many bytes between two C++ processes.
int PingPong(bool spin)
{
    struct Shared
    {
        alignas(64) std::atomic<std::uint32_t> ping;
        alignas(64) float there[64 * 16];
        alignas(64) std::atomic<std::uint32_t> pong;
        alignas(64) float back[64 * 16];
    };
    const auto bytes = Argument(3) * sizeof(Sample);
    auto* shared = static_cast<Shared*>(
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    const auto wait = [spin](std::atomic<std::uint32_t>& word, std::uint32_t old) {
        while (word.load(std::memory_order_acquire) == old)
        {
            if (spin)
            {
                Relax();
            }
            else
            {
                ::syscall(SYS_futex, &word, FUTEX_WAIT, old, nullptr, nullptr, 0);
            }
        }
        return word.load(std::memory_order_acquire);
    };
    const auto tell = [spin](std::atomic<std::uint32_t>& word, std::uint32_t value) {
        word.store(value, std::memory_order_release);
        if (!spin)
        {
            ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
        }
    };
    constexpr std::uint32_t kEnd = 0xffffffff;
    const pid_t child = ::fork();
    if (child == 0)
    {
        for (std::uint32_t seen = 0; (seen = wait(shared->ping, seen)) != kEnd;)
        {
            std::memcpy(shared->back, shared->there, bytes);
            tell(shared->pong, seen);
        }
        ::_exit(0);
    }
    std::vector<double> latencies;
    latencies.reserve(1 << 22);
    const double limit = std::stod(g_arguments.at(2));
    const double start = Now();
    const double cpu = CpuSeconds(RUSAGE_SELF);
    std::uint32_t number = 0;
    for (double before = Now(); before - start < limit && latencies.size() < latencies.capacity();)
    {
        const auto floats = bytes / sizeof(float);
        for (std::size_t i = 0; i < floats; i += 16)
        {
            shared->there[i] = static_cast<float>(number);
        }
        tell(shared->ping, number + 1);
        wait(shared->pong, number);
        for (std::size_t i = 0; i < floats; i += 16)
        {
            if (shared->back[i] != static_cast<float>(number))
            {
                return 2;
            }
        }
        ++number;
        const double now = Now();
        latencies.push_back(now - before);
        before = now;
    }
    const double wall = Now() - start;
    tell(shared->ping, kEnd);
    ::waitpid(child, nullptr, 0);
    Report(latencies, wall, CpuSeconds(RUSAGE_SELF) + CpuSeconds(RUSAGE_CHILDREN) - cpu);
    return 0;
}

/// stream RECORDS CAPACITY
int Stream(Bridge& bridge)
{
    auto& stream = bridge.AddStream<Sample>("items", Argument(2));
    bridge.Start();
    const double start = Now();
    const double cpu = CpuSeconds(RUSAGE_SELF);
    Sample sample{};
    for (std::uint64_t i = 0; i < Argument(1); ++i)
    {
        sample.values[0] = static_cast<float>(i & 0xffff);
        stream.Push(sample);
    }
    stream.Flush();
    const double wall = Now() - start;
    std::printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f}\n", wall, CpuSeconds(RUSAGE_SELF) - cpu);
    std::fflush(stdout);
    bridge.Finish();
    return 0;
}

double Sum(std::span<const float> data)
{
    float part[8]{};
    for (std::size_t i = 0; i + 8 <= data.size(); i += 8)
    {
        for (std::size_t k = 0; k < 8; ++k)
        {
            part[k] += data[i + k];
        }
    }
    return std::accumulate(part, part + 8, 0.0F);
}

/// blocks BLOCKS SLOTS BYTES READ: takes blocks; with READ 1 it adds up every float.
int Blocks(Bridge& bridge)
{
    auto& blocks = bridge.AddBlocks<Block>("blocks", Argument(2), Argument(3));
    bridge.Start();
    double sum = 0.0;
    double start = 0.0;
    double cpu = 0.0;
    for (std::uint64_t number = 0; number < Argument(1); ++number)
    {
        blocks.Wait(number);
        if (number == 2 * Argument(2)) // every slot's pages are there
        {
            start = Now();
            cpu = CpuSeconds(RUSAGE_SELF);
        }
        if (Argument(4) != 0)
        {
            sum += Sum(blocks.Data());
        }
        blocks.Release();
    }
    std::printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"sum\": %.1f}\n",
                Now() - start,
                CpuSeconds(RUSAGE_SELF) - cpu,
                sum);
    std::fflush(stdout);
    bridge.Finish();
    return 0;
}

/// handover COUNT SLOTS BYTES: blocks that one process writes and another reads, with spins alone.
int HandOver()
{
    const auto count = Argument(1);
    const auto slots = Argument(2);
    const auto bytes = Argument(3);
    struct Counts
    {
        alignas(64) std::atomic<std::uint64_t> published;
        alignas(64) std::atomic<std::uint64_t> released;
    };
    auto* base = static_cast<char*>(::mmap(nullptr,
                                           4096 + slots * bytes,
                                           PROT_READ | PROT_WRITE,
                                           MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
                                           -1,
                                           0));
    auto* counts = reinterpret_cast<Counts*>(base);
    const auto slot = [&](std::uint64_t number) {
        return std::span<float>(reinterpret_cast<float*>(base + 4096 + number % slots * bytes),
                                bytes / sizeof(float));
    };
    const pid_t child = ::fork();
    if (child == 0)
    {
        for (std::uint64_t number = 0; number < count; ++number)
        {
            while (number - counts->released.load(std::memory_order_acquire) >= slots)
            {
                Relax();
            }
            std::ranges::fill(slot(number), 1.0F);
            counts->published.store(number + 1, std::memory_order_release);
        }
        ::_exit(0);
    }
    double sum = 0.0;
    double start = 0.0;
    for (std::uint64_t number = 0; number < count; ++number)
    {
        while (counts->published.load(std::memory_order_acquire) <= number)
        {
            Relax();
        }
        start = number == 2 * slots ? Now() : start;
        sum += Sum(slot(number));
        counts->released.store(number + 1, std::memory_order_release);
    }
    std::printf("{\"wall_s\": %.6f, \"sum\": %.1f}\n", Now() - start, sum);
    ::waitpid(child, nullptr, 0);
    return 0;
}

/// spin SECONDS: what a wait without a futex does.
int Spin()
{
    for (const double end = Now() + std::stod(g_arguments.at(1)); Now() < end;)
    {
        Relax();
    }
    return 0;
}

/// copy BYTES SECONDS: what memcpy does on this machine, in bytes a second (read + written once).
int Copy()
{
    std::vector<char> from(Argument(1), 1);
    std::vector<char> to(Argument(1), 2);
    double best = 1e9;
    for (const double end = Now() + std::stod(g_arguments.at(2)); Now() < end;)
    {
        const double start = Now();
        for (int i = 0; i < 16; ++i)
        {
            std::memcpy(to.data(), from.data(), to.size());
            asm volatile("" : : "r"(to.data()) : "memory");
        }
        best = std::min(best, (Now() - start) / 16);
    }
    std::printf("{\"bytes_per_s\": %.3e}\n", static_cast<double>(Argument(1)) / best);
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    g_arguments.assign(argv + 1, argv + argc);
    const std::string mode = g_arguments.at(0);
    if (mode == "pingpong")
    {
        return PingPong(g_arguments.at(1) == "spin");
    }
    if (mode == "handover")
    {
        return HandOver();
    }
    if (mode == "spin")
    {
        return Spin();
    }
    if (mode == "copy")
    {
        return Copy();
    }
    auto bridge = Bridge::FromEnvironment();
    return mode == "echo" ? Echo(*bridge) : mode == "stream" ? Stream(*bridge) : Blocks(*bridge);
}
