// SPDX-License-Identifier: MIT
/**
 * \file
 * Records that cross the bridge. A field list declared once gives the C++ struct, its textual
 * description (from which Python makes the same numpy.dtype) and its hash (which both sides
 * compare).
 *
 *     #define POINT_FIELDS(F, A) F(double, x_m) F(double, y_m) A(char, label, 16)
 *     COSIM_RECORD(Point, POINT_FIELDS);
 */
#ifndef COSIM_BRIDGE_RECORD_HPP
#define COSIM_BRIDGE_RECORD_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

namespace cosim::bridge
{

namespace detail
{

/// NumPy's type string of a field's type.
template <class T> constexpr const char* TypeString()
{
    static_assert(std::is_arithmetic_v<T>, "a record's field must be a number or a char");
    if constexpr (std::is_same_v<T, double>)
    {
        return "<f8";
    }
    else if constexpr (std::is_same_v<T, float>)
    {
        return "<f4";
    }
    else if constexpr (std::is_same_v<T, char>)
    {
        return "S";
    }
    else if constexpr (std::is_same_v<T, bool>)
    {
        return "|b1";
    }
    else
    {
        constexpr bool isSigned = std::is_signed_v<T>;
        switch (sizeof(T))
        {
        case 1:
            return isSigned ? "|i1" : "|u1";
        case 2:
            return isSigned ? "<i2" : "<u2";
        case 4:
            return isSigned ? "<i4" : "<u4";
        default:
            return isSigned ? "<i8" : "<u8";
        }
    }
}

/// FNV-1a, 64 bit: enough to tell two layouts apart; nobody attacks a layout.
inline std::uint64_t Hash(const std::string& text)
{
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const unsigned char c : text)
    {
        hash = (hash ^ c) * 0x100000001b3ULL;
    }
    return hash;
}

/// One line of a description: name, type, elements (0 for a plain field), offset.
template <class T>
void Describe(std::string& text, const char* name, std::size_t elements, std::size_t offset)
{
    text += std::string(name) + " " + TypeString<T>() + " " + std::to_string(elements) + " " +
            std::to_string(offset) + "\n";
}

} // namespace detail

/// Specialised by COSIM_RECORD: Name(), Description(), Hash().
template <class Record> struct RecordTraits;

} // namespace cosim::bridge

#define COSIM_RECORD_FIELD(type, name) type name;
#define COSIM_RECORD_ARRAY(type, name, count) type name[count];
#define COSIM_RECORD_DESCRIBE_FIELD(type, name) \
    ::cosim::bridge::detail::Describe<type>(text, #name, 0, offsetof(Self, name));
#define COSIM_RECORD_DESCRIBE_ARRAY(type, name, count) \
    ::cosim::bridge::detail::Describe<type>(text, #name, count, offsetof(Self, name));

#ifdef COSIM_BRIDGE_EXPORT_RECORDS // see record_export.hpp
#define COSIM_RECORD_EXPORT(Record)                       \
    [[maybe_unused]] static const bool g_export##Record = \
        ::cosim::bridge::detail::Export(#Record, Record::CosimDescription());
#else
#define COSIM_RECORD_EXPORT(Record)
#endif

/// Defines the struct `Record` from its field list, in the current namespace.
#define COSIM_RECORD(Record, FIELDS)                                                             \
    struct Record                                                                                \
    {                                                                                            \
        FIELDS(COSIM_RECORD_FIELD, COSIM_RECORD_ARRAY)                                           \
                                                                                                 \
        /** \return name, type, elements and offset of each field, one a line, then the size. */ \
        static std::string CosimDescription()                                                    \
        {                                                                                        \
            using Self = Record;                                                                 \
            std::string text = #Record "\n";                                                     \
            FIELDS(COSIM_RECORD_DESCRIBE_FIELD, COSIM_RECORD_DESCRIBE_ARRAY)                     \
            return text + std::to_string(sizeof(Self)) + "\n";                                   \
        }                                                                                        \
    };                                                                                           \
    COSIM_RECORD_EXPORT(Record)                                                                  \
    static_assert(std::is_standard_layout_v<Record> && std::is_trivially_copyable_v<Record>,     \
                  "a record crosses processes as plain memory")

namespace cosim::bridge
{

/// What the bridge needs to know of a record.
template <class Record> struct Schema
{
    static std::string Description()
    {
        return Record::CosimDescription();
    }

    static std::uint64_t Hash()
    {
        return detail::Hash(Record::CosimDescription());
    }
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_RECORD_HPP
