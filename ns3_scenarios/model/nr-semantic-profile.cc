// SPDX-License-Identifier: GPL-2.0-only
#include "nr-semantic-profile.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ns3
{

NrSemanticProfile::NrSemanticProfile(double messageBytes, std::vector<double> accuracy)
    : m_messageBytes(messageBytes),
      m_accuracy(std::move(accuracy))
{
    const auto isShare = [](double value) { return value >= 0.0 && value <= 1.0; };
    if (!(messageBytes > 0.0) || m_accuracy.size() < 2 ||
        !std::all_of(m_accuracy.begin(), m_accuracy.end(), isShare))
    {
        throw std::invalid_argument("a semantic profile needs a message size above 0 and two or "
                                    "more accuracies from 0 to 1");
    }
}

bool NrSemanticProfile::IsKnown() const
{
    return !m_accuracy.empty();
}

double NrSemanticProfile::GetAccuracy(double share) const
{
    if (m_accuracy.empty())
    {
        return 0.0;
    }
    const double at = std::clamp(share, 0.0, 1.0) * static_cast<double>(m_accuracy.size() - 1);
    const std::size_t left = std::min(static_cast<std::size_t>(at), m_accuracy.size() - 2);
    const double weight = at - static_cast<double>(left);
    return (1.0 - weight) * m_accuracy[left] + weight * m_accuracy[left + 1];
}

double NrSemanticProfile::GetValuePerByte() const
{
    return m_accuracy.empty() ? 0.0 : (m_accuracy.back() - m_accuracy.front()) / m_messageBytes;
}

} // namespace ns3
