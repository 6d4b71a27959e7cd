// SPDX-License-Identifier: GPL-2.0-only
#include "nr-assignment.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ns3
{

std::vector<std::size_t> NrAssignExactly(std::span<const double> weights,
                                         std::size_t rows,
                                         std::size_t columns)
{
    // Minimises the negated weights. Row and column potentials keep all reduced costs at 0 or
    // above and those of assigned pairs at 0; each row is added along a shortest path of reduced
    // costs. Place `columns` stands for the row that is being added.
    constexpr std::size_t NOBODY = static_cast<std::size_t>(-1);
    std::vector<double> rowPotential(rows);
    std::vector<double> columnPotential(columns + 1);
    std::vector<std::size_t> owner(columns + 1, NOBODY);
    std::vector<std::size_t> before(columns + 1);
    for (std::size_t row = 0; row < rows; ++row)
    {
        owner[columns] = row;
        std::size_t at = columns;
        std::vector<double> distance(columns, HUGE_VAL);
        std::vector<bool> done(columns + 1);
        while (owner[at] != NOBODY)
        {
            done[at] = true;
            const std::size_t from = owner[at];
            std::size_t next = columns;
            double step = HUGE_VAL;
            for (std::size_t column = 0; column < columns; ++column)
            {
                if (done[column])
                {
                    continue;
                }
                const double reduced = -weights[from * columns + column] - rowPotential[from] -
                                       columnPotential[column];
                if (reduced < distance[column])
                {
                    distance[column] = reduced;
                    before[column] = at;
                }
                if (distance[column] < step)
                {
                    step = distance[column];
                    next = column;
                }
            }
            for (std::size_t column = 0; column <= columns; ++column)
            {
                if (done[column])
                {
                    rowPotential[owner[column]] += step;
                    columnPotential[column] -= step;
                }
                else if (column < columns)
                {
                    distance[column] -= step;
                }
            }
            at = next;
        }
        while (at != columns)
        {
            owner[at] = owner[before[at]];
            at = before[at];
        }
    }
    std::vector<std::size_t> result(rows);
    for (std::size_t column = 0; column < columns; ++column)
    {
        if (owner[column] != NOBODY)
        {
            result[owner[column]] = column;
        }
    }
    return result;
}

std::vector<std::size_t> NrAssignGreedily(std::span<const double> weights,
                                          std::size_t rows,
                                          std::size_t columns)
{
    std::vector<std::size_t> order(weights.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [weights](std::size_t a, std::size_t b) {
        return weights[a] > weights[b];
    });
    std::vector<std::size_t> result(rows, columns);
    std::vector<bool> taken(columns);
    for (const std::size_t pair : order)
    {
        const std::size_t row = pair / columns;
        const std::size_t column = pair % columns;
        if (result[row] == columns && !taken[column])
        {
            result[row] = column;
            taken[column] = true;
        }
    }
    return result;
}

} // namespace ns3
