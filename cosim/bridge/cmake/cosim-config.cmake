# SPDX-License-Identifier: MIT
# What `find_package(cosim)` gives to a project of one's own; `python -m cosim.bridge --cmake-dir` tells
# where it lies. See docs/bridge.md and the template project.
#
#   cosim::bridge                    the headers, for any C++20 program
#   cosim_add_ns3_program(name SOURCES file… [NS3_MODULES module…] [RECORDS header…])
#   cosim_add_ns3_plugin(name SOURCES file…)   classes that `cosim run --plugin name.so` adds to its ns-3
#   cosim_export_records(header…)    Python modules with the NumPy types of the records in headers
#   cosim_add_ns3ai_module(name SOURCES file…)   a pybind11 module written for ns-3-ai's interface
get_filename_component(cosim_BRIDGE_DIR "${CMAKE_CURRENT_LIST_DIR}/.." REALPATH)
set(cosim_INCLUDE_DIR "${cosim_BRIDGE_DIR}/include")
set(_cosim_cmake_dir "${CMAKE_CURRENT_LIST_DIR}")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release) # a simulation without optimisation is several times slower
endif()

if(NOT TARGET cosim::bridge)
  find_package(Threads REQUIRED)
  add_library(cosim::bridge INTERFACE IMPORTED)
  target_include_directories(cosim::bridge INTERFACE "${cosim_INCLUDE_DIR}")
  target_compile_features(cosim::bridge INTERFACE cxx_std_20)
  target_link_libraries(cosim::bridge INTERFACE Threads::Threads)
endif()

# A variable, not a module path: the user's own list stays as it is.
macro(_cosim_find_ns3)
  if(NOT Ns3_FOUND)
    set(_cosim_module_path "${CMAKE_MODULE_PATH}")
    set(CMAKE_MODULE_PATH "${_cosim_cmake_dir}")
    find_package(Ns3 3.44 REQUIRED)
    set(CMAKE_MODULE_PATH "${_cosim_module_path}")
  endif()
endmacro()

# Builds an ns-3 program that can open a bridge. NS3_MODULES are the ns-3 modules whose headers it
# includes; what those need themselves is found. RECORDS are headers with COSIM_RECORD declarations, free
# of ns-3: `records.hpp` becomes `records.py` in the build folder.
function(cosim_add_ns3_program name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;NS3_MODULES;RECORDS")
  if(ARG_UNPARSED_ARGUMENTS OR NOT ARG_SOURCES)
    message(FATAL_ERROR "cosim_add_ns3_program(name SOURCES file… [NS3_MODULES module…] [RECORDS header…]), "
                        "got '${ARG_UNPARSED_ARGUMENTS}' and no more is known")
  endif()
  _cosim_find_ns3()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cosim::bridge)
  foreach(module IN ITEMS core LISTS ARG_NS3_MODULES)
    if(NOT TARGET ns3::${module})
      list(JOIN Ns3_MODULES ", " known)
      message(FATAL_ERROR "cosim_add_ns3_program(${name}): ns-3 in ${Ns3_LIBRARY_DIR} has no module "
                          "'${module}'; it has: ${known}")
    endif()
    target_link_libraries(${name} PRIVATE ns3::${module})
  endforeach()
  # Modules that the named ones need are linked too, as their headers use them inline.
  target_link_options(${name} PRIVATE "-Wl,--copy-dt-needed-entries")
  set_target_properties(${name} PROPERTIES BUILD_RPATH "${Ns3_LIBRARY_DIR}" INSTALL_RPATH "${Ns3_LIBRARY_DIR}")
  if(ARG_RECORDS)
    cosim_export_records(${ARG_RECORDS})
    foreach(header IN LISTS ARG_RECORDS)
      get_filename_component(stem "${header}" NAME_WE)
      string(MAKE_C_IDENTIFIER "${stem}" stem)
      add_dependencies(${name} cosim_records_${stem}_module)
    endforeach()
  endif()
endfunction()

# A shared library with classes of one's own for SemCoSim's ns-3 executable, for example a scheduler. What
# it uses of the executable's classes is found when it is loaded. It links ns-3: GPL-2.0-only.
function(cosim_add_ns3_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES")
  if(ARG_UNPARSED_ARGUMENTS OR NOT ARG_SOURCES)
    message(FATAL_ERROR "cosim_add_ns3_plugin(name SOURCES file…), got '${ARG_UNPARSED_ARGUMENTS}' and no more is known")
  endif()
  _cosim_find_ns3()
  # In an installed package, or in a checkout.
  find_path(
    cosim_NS3_HEADERS nr-scheduler.h NO_DEFAULT_PATH
    PATHS "${cosim_BRIDGE_DIR}/../bin/include" "${cosim_BRIDGE_DIR}/../../ns3_scenarios/model")
  if(NOT cosim_NS3_HEADERS)
    message(FATAL_ERROR "cosim_add_ns3_plugin(${name}): the module's headers are missing; reinstall semcosim")
  endif()
  add_library(${name} MODULE ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${cosim_NS3_HEADERS}")
  target_link_libraries(${name} PRIVATE cosim::bridge ns3::core ns3::network)
  set_target_properties(${name} PROPERTIES PREFIX "" BUILD_RPATH "${Ns3_LIBRARY_DIR}" INSTALL_RPATH
                                                                                      "${Ns3_LIBRARY_DIR}")
endfunction()

# A small program prints the records' descriptions at build time, so no Python header is needed.
function(cosim_export_records)
  foreach(header IN LISTS ARGN)
    get_filename_component(path "${header}" ABSOLUTE)
    get_filename_component(stem "${header}" NAME_WE)
    string(MAKE_C_IDENTIFIER "${stem}" stem)
    set(target cosim_records_${stem})
    set(source "${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp")
    set(module "${CMAKE_CURRENT_BINARY_DIR}/${stem}.py")
    set(_cosim_header "${path}")
    configure_file("${_cosim_cmake_dir}/export-records.cpp.in" "${source}" @ONLY)
    add_executable(${target} "${source}")
    target_link_libraries(${target} PRIVATE cosim::bridge)
    add_custom_command(
      OUTPUT "${module}"
      COMMAND ${target} "${module}"
      DEPENDS ${target}
      COMMENT "NumPy types of ${header} in ${stem}.py"
      VERBATIM)
    add_custom_target(${target}_module ALL DEPENDS "${module}")
  endforeach()
endfunction()

# A pybind11 module written for ns-3-ai's message interface (`#include <ns3/ai-module.h>`).
function(cosim_add_ns3ai_module name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES")
  if(ARG_UNPARSED_ARGUMENTS OR NOT ARG_SOURCES)
    message(FATAL_ERROR "cosim_add_ns3ai_module(name SOURCES file…), got '${ARG_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT COMMAND pybind11_add_module)
    find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -m pybind11 --cmakedir
      OUTPUT_VARIABLE pybind11_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    find_package(pybind11 CONFIG QUIET)
    if(NOT pybind11_FOUND)
      message(FATAL_ERROR "cosim_add_ns3ai_module(${name}) needs pybind11: pip install pybind11")
    endif()
  endif()
  pybind11_add_module(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cosim::bridge)
endfunction()

set(cosim_FOUND TRUE)
