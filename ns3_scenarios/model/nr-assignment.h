// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_ASSIGNMENT_H
#define NR_ASSIGNMENT_H

#include <cstddef>
#include <span>
#include <vector>

namespace ns3
{

/**
 * Assigns columns to rows, each row one column at most and each column one row at most, so that the
 * sum of weights is the greatest (Kuhn 1955, Munkres 1957; in the O(rows^2 columns) form of
 * shortest augmenting paths with potentials of Jonker and Volgenant, Computing 38, 1987).
 *
 * \param weights row by row, all finite
 * \param rows the number of rows, at most the number of columns
 * \param columns the number of columns
 * \return the column of each row
 */
std::vector<std::size_t> NrAssignExactly(std::span<const double> weights,
                                         std::size_t rows,
                                         std::size_t columns);

/**
 * The same in the order of weights, the greatest first: at least half of the best sum.
 *
 * \param weights row by row, all finite
 * \param rows the number of rows, at most the number of columns
 * \param columns the number of columns
 * \return the column of each row
 */
std::vector<std::size_t> NrAssignGreedily(std::span<const double> weights,
                                          std::size_t rows,
                                          std::size_t columns);

} // namespace ns3

#endif // NR_ASSIGNMENT_H
