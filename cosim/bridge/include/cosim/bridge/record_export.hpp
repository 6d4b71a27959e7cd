// SPDX-License-Identifier: MIT
/**
 * \file
 * Writes the records that a header declares as a Python module of NumPy types. Include it, with
 * COSIM_BRIDGE_EXPORT_RECORDS defined, before that header; cosim_export_records (CMake) does.
 */
#ifndef COSIM_BRIDGE_RECORD_EXPORT_HPP
#define COSIM_BRIDGE_RECORD_EXPORT_HPP

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#ifdef COSIM_BRIDGE_RECORD_HPP
#error "record_export.hpp comes before the header whose records it exports"
#endif

namespace cosim::bridge::detail
{

/// Names and descriptions of the records seen so far, in the order of declaration.
inline std::vector<std::pair<std::string, std::string>>& Exported()
{
    static std::vector<std::pair<std::string, std::string>> records;
    return records;
}

inline bool Export(const char* name, std::string description)
{
    Exported().emplace_back(name, std::move(description));
    return true;
}

} // namespace cosim::bridge::detail

#include "record.hpp"

namespace cosim::bridge
{

/// Writes the module to `path`. \return the program's exit status.
inline int ExportRecords(const std::string& path, const std::string& header)
{
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (file == nullptr || detail::Exported().empty())
    {
        std::fprintf(stderr,
                     file == nullptr ? "cannot write %s\n" : "no COSIM_RECORD in %s\n",
                     file == nullptr ? path.c_str() : header.c_str());
        return 1;
    }
    std::string hashes;
    std::fprintf(file,
                 "\"\"\"NumPy types of the records of %s. Generated: do not edit.\"\"\"\n\n"
                 "from cosim.bridge import dtype_of\n\n",
                 header.substr(header.rfind('/') + 1).c_str());
    for (const auto& [name, description] : detail::Exported())
    {
        std::string text;
        for (const char c : description)
        {
            text += c == '\n' ? std::string("\\n") : std::string(1, c);
        }
        std::fprintf(file, "%s = dtype_of(\"%s\")\n", name.c_str(), text.c_str());
        hashes += "    \"" + name + "\": " + std::to_string(detail::Hash(description)) + ",\n";
    }
    std::fprintf(file, "\nSCHEMA_HASHES = {\n%s}\n", hashes.c_str());
    return std::fclose(file) == 0 ? 0 : 1;
}

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_RECORD_EXPORT_HPP
