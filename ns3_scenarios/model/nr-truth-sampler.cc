// SPDX-License-Identifier: GPL-2.0-only
#include "nr-truth-sampler.h"

#include "ns3/rng-seed-manager.h"

namespace ns3
{

namespace
{

/// \return a number whose bits all depend on all bits of x (splitmix64: Steele, Lea and Flood,
/// OOPSLA 2014)
uint64_t Mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
}

} // namespace

bool NrTruthSampler::Take(double fraction)
{
    const uint64_t number = m_number++;
    if (fraction <= 0.0)
    {
        return false;
    }
    const uint64_t salt = (uint64_t{RngSeedManager::GetSeed()} << 32U) + RngSeedManager::GetRun();
    // 53 bits: all that a double can tell apart.
    return double(Mix(Mix(salt) + number) >> 11U) * 0x1.0p-53 < fraction;
}

} // namespace ns3
