# SPDX-License-Identifier: MIT
# Finds ns-3: the PyPI wheel `ns3`, or with NS3_PREFIX (a CMake or an environment variable) a tree of
# one's own, 3.44 or newer: the folder of an installation, of a build, or of the sources it was built in.
#
# The wheel's own ns3Config.cmake names folders of the machine that built it and cannot be used. This
# module makes one imported target a library: ns3::core, ns3::internet, ns3::point-to-point, …
#
# Sets Ns3_FOUND, Ns3_VERSION, Ns3_INCLUDE_DIR, Ns3_LIBRARY_DIR, Ns3_MODULES.
set(NS3_PREFIX "$ENV{NS3_PREFIX}" CACHE PATH "Folder of an ns-3 of one's own; empty: the ns3 wheel")

if(NS3_PREFIX)
  set(_ns3_prefixes "${NS3_PREFIX}/build" "${NS3_PREFIX}")
  set(_ns3_remedy
      "NS3_PREFIX=${NS3_PREFIX} has no include/ns3/core-module.h with lib/libns3*-core*.so beside it: build ns-3 there first")
else()
  # Beside this file in an installed package; where Python says in a checkout.
  set(_ns3_prefixes "${CMAKE_CURRENT_LIST_DIR}/../../../ns3")
  if(NOT EXISTS "${_ns3_prefixes}/include/ns3/core-module.h")
    if(NOT Python_EXECUTABLE)
      find_package(Python COMPONENTS Interpreter QUIET)
    endif()
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c
              "import importlib.metadata as m; print(m.distribution('ns3').locate_file('ns3'))"
      OUTPUT_VARIABLE _ns3_prefixes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  set(_ns3_remedy
      "install the wheel with `pip install --no-deps ns3==3.44.post0`, or give -DNS3_PREFIX=<folder of your ns-3>")
endif()

# Another prefix in the same build folder must not find what was found before.
if(NOT "${Ns3_SEARCHED}" STREQUAL "${_ns3_prefixes}")
  unset(Ns3_INCLUDE_DIR CACHE)
  unset(Ns3_LIBRARY_DIR CACHE)
  set(Ns3_SEARCHED "${_ns3_prefixes}" CACHE INTERNAL "")
endif()
foreach(_prefix IN LISTS _ns3_prefixes)
  foreach(_folder IN ITEMS lib64 lib)
    # libns3.44-core.so of an installation, libns3.44-core-default.so of a build with another profile,
    # libns3-dev-core-default.so of the development tree
    file(GLOB _ns3_core "${_prefix}/${_folder}/libns3*-core*.so")
    if(_ns3_core AND NOT Ns3_LIBRARY_DIR AND EXISTS "${_prefix}/include/ns3/core-module.h")
      set(Ns3_LIBRARY_DIR "${_prefix}/${_folder}" CACHE PATH "Folder of ns-3's libraries")
      set(Ns3_INCLUDE_DIR "${_prefix}/include" CACHE PATH "Folder of ns-3's headers")
    endif()
  endforeach()
endforeach()
if(Ns3_LIBRARY_DIR)
  file(GLOB _ns3_libraries "${Ns3_LIBRARY_DIR}/libns3*-*.so")
  file(GLOB _ns3_core "${Ns3_LIBRARY_DIR}/libns3*-core*.so")
  list(GET _ns3_core 0 _first)
  if(_first MATCHES "/libns3\\.([0-9]+)[^/]*$")
    set(Ns3_VERSION "3.${CMAKE_MATCH_1}")
  else() # the development tree: newer than any release
    set(Ns3_VERSION "3.9999")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  Ns3
  REQUIRED_VARS Ns3_INCLUDE_DIR Ns3_LIBRARY_DIR
  VERSION_VAR Ns3_VERSION
  REASON_FAILURE_MESSAGE "${_ns3_remedy}")

if(Ns3_FOUND)
  set(Ns3_MODULES "")
  foreach(_library IN LISTS _ns3_libraries)
    get_filename_component(_name "${_library}" NAME)
    string(REGEX REPLACE "^libns3(\\.[0-9]+|-dev)[^-]*-(.*)\\.so$" "\\2" _name "${_name}")
    string(REGEX MATCH "-(debug|default|optimized|minsizerel|relwithdebinfo)$" _profile "${_name}")
    if(_profile)
      string(REGEX REPLACE "${_profile}$" "" _name "${_name}")
    endif()
    list(APPEND Ns3_MODULES "${_name}")
    if(NOT TARGET ns3::${_name})
      add_library(ns3::${_name} SHARED IMPORTED)
      set_target_properties(
        ns3::${_name}
        PROPERTIES IMPORTED_LOCATION "${_library}"
                   INTERFACE_INCLUDE_DIRECTORIES "${Ns3_INCLUDE_DIR}"
                   INTERFACE_COMPILE_FEATURES cxx_std_20
                   # Libraries of modules that are not used may miss symbols (config-store wants GTK).
                   INTERFACE_LINK_OPTIONS
                   "-Wl,--allow-shlib-undefined;-Wl,-rpath-link,${Ns3_LIBRARY_DIR}")
      # A program sees logs and assertions as the libraries were built with.
      if(NOT _profile MATCHES "optimized|minsizerel")
        set_target_properties(ns3::${_name} PROPERTIES INTERFACE_COMPILE_DEFINITIONS
                                                       "NS3_LOG_ENABLE;NS3_ASSERT_ENABLE")
      endif()
    endif()
  endforeach()
endif()
