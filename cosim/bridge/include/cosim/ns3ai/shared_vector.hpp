// SPDX-License-Identifier: MIT
#ifndef COSIM_NS3AI_SHARED_VECTOR_HPP
#define COSIM_NS3AI_SHARED_VECTOR_HPP

#include "connection.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace cosim::ns3ai
{

/**
 * A vector in the shared memory, with the usual part of std::vector's interface.
 *
 * It never moves: its elements stay where they are when it grows, in this process and in the other.
 */
template <class T> class SharedVector
{
    static_assert(
        std::is_trivially_copyable_v<T>,
        "a struct that crosses processes is plain data: no pointers' owners, no strings, no "
        "containers in it");

  public:
    using value_type = T;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using const_reference = const T&;
    using pointer = T*;
    using const_pointer = const T*;
    using iterator = T*;
    using const_iterator = const T*;

    SharedVector(Connection& connection, Area& area)
        : m_connection(connection),
          m_area(area),
          m_data(static_cast<T*>(connection.At(area)))
    {
    }

    SharedVector(const SharedVector&) = delete;
    SharedVector& operator=(const SharedVector&) = delete;

    size_type size() const
    {
        return m_area.count;
    }

    bool empty() const
    {
        return m_area.count == 0;
    }

    size_type capacity() const
    {
        return m_area.taken / sizeof(T);
    }

    size_type max_size() const
    {
        return m_connection.Shared().areaBytes / sizeof(T);
    }

    /// New elements are value-initialised.
    void resize(size_type count)
    {
        resize(count, T());
    }

    void resize(size_type count, const T& value)
    {
        reserve(count);
        if (count > size())
        {
            std::fill(m_data + size(), m_data + count, value);
        }
        m_area.count = count;
    }

    void reserve(size_type count)
    {
        if (count > max_size())
        {
            throw bridge::BridgeError("ns3-ai: a vector of " + std::to_string(count) +
                                      " structs of " + std::to_string(sizeof(T)) +
                                      " bytes, at most " + std::to_string(max_size()) +
                                      " fit: give Experiment(shmSize=...) more in Python");
        }
        m_connection.Reserve(m_area, count * sizeof(T), "a vector");
    }

    void clear()
    {
        m_area.count = 0;
    }

    void push_back(const T& value)
    {
        resize(size() + 1, value);
    }

    template <class... Arguments> reference emplace_back(Arguments&&... arguments)
    {
        push_back(T(std::forward<Arguments>(arguments)...));
        return back();
    }

    void pop_back()
    {
        --m_area.count;
    }

    void assign(size_type count, const T& value)
    {
        clear();
        resize(count, value);
    }

    template <class Iterator, class = std::enable_if_t<!std::is_integral_v<Iterator>>>
    void assign(Iterator first, Iterator last)
    {
        clear();
        for (; first != last; ++first)
        {
            push_back(*first);
        }
    }

    reference operator[](size_type index)
    {
        return m_data[index];
    }

    const_reference operator[](size_type index) const
    {
        return m_data[index];
    }

    reference at(size_type index)
    {
        CheckIndex(index);
        return m_data[index];
    }

    const_reference at(size_type index) const
    {
        CheckIndex(index);
        return m_data[index];
    }

    reference front()
    {
        return m_data[0];
    }

    const_reference front() const
    {
        return m_data[0];
    }

    reference back()
    {
        return m_data[size() - 1];
    }

    const_reference back() const
    {
        return m_data[size() - 1];
    }

    pointer data()
    {
        return m_data;
    }

    const_pointer data() const
    {
        return m_data;
    }

    iterator begin()
    {
        return m_data;
    }

    iterator end()
    {
        return m_data + size();
    }

    const_iterator begin() const
    {
        return m_data;
    }

    const_iterator end() const
    {
        return m_data + size();
    }

    const_iterator cbegin() const
    {
        return begin();
    }

    const_iterator cend() const
    {
        return end();
    }

  private:
    void CheckIndex(size_type index) const
    {
        if (index >= size())
        {
            throw std::out_of_range("ns3-ai: element " + std::to_string(index) +
                                    " of a vector of " + std::to_string(size()));
        }
    }

    Connection& m_connection;
    Area& m_area;
    T* m_data;
};

} // namespace cosim::ns3ai

#endif // COSIM_NS3AI_SHARED_VECTOR_HPP
