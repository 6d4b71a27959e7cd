# SPDX-License-Identifier: MIT
# Finds ns-3: the PyPI wheel `ns3`, or with -DNS3_PREFIX=<folder> a tree of one's own (3.44 or newer).
#
# The wheel's own ns3Config.cmake names folders of the machine that built it and cannot be used. This
# module makes one imported target a library: ns3::core, ns3::internet, ns3::point-to-point, …
#
# Sets Ns3_FOUND, Ns3_VERSION, Ns3_INCLUDE_DIR, Ns3_LIBRARY_DIR.
set(NS3_PREFIX "" CACHE PATH "Prefix of an ns-3 installation; empty: the ns3 wheel of this Python")

set(_ns3_prefix "${NS3_PREFIX}")
if(NOT _ns3_prefix)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c
            "import importlib.metadata as m; print(m.distribution('ns3').locate_file('ns3'))"
    OUTPUT_VARIABLE _ns3_prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()

find_path(Ns3_INCLUDE_DIR NAMES ns3/core-module.h PATHS "${_ns3_prefix}/include" NO_DEFAULT_PATH)
foreach(_folder IN ITEMS lib64 lib)
  file(GLOB _ns3_core "${_ns3_prefix}/${_folder}/libns3.*-core*.so")
  if(_ns3_core AND NOT Ns3_LIBRARY_DIR)
    set(Ns3_LIBRARY_DIR "${_ns3_prefix}/${_folder}" CACHE PATH "Folder of ns-3's libraries")
  endif()
endforeach()
if(Ns3_LIBRARY_DIR)
  file(GLOB _ns3_libraries "${Ns3_LIBRARY_DIR}/libns3.*.so")
  list(GET _ns3_libraries 0 _first)
  string(REGEX REPLACE ".*/libns3\\.([0-9]+).*" "3.\\1" Ns3_VERSION "${_first}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  Ns3
  REQUIRED_VARS Ns3_INCLUDE_DIR Ns3_LIBRARY_DIR
  VERSION_VAR Ns3_VERSION
  REASON_FAILURE_MESSAGE
    "install the wheel with `pip install --no-deps ns3==3.44.post0`, or give -DNS3_PREFIX=<folder>")

if(Ns3_FOUND AND NOT TARGET ns3::core)
  foreach(_library IN LISTS _ns3_libraries)
    # libns3.44-core.so, or libns3.44-core-default.so of a tree built in another profile
    string(REGEX REPLACE ".*/libns3\\.[0-9]+-(.*)\\.so" "\\1" _name "${_library}")
    string(REGEX REPLACE "-(debug|default|optimized|release)$" "" _name "${_name}")
    if(NOT TARGET ns3::${_name})
      add_library(ns3::${_name} SHARED IMPORTED)
      set_target_properties(
        ns3::${_name}
        PROPERTIES IMPORTED_LOCATION "${_library}"
                   INTERFACE_INCLUDE_DIRECTORIES "${Ns3_INCLUDE_DIR}"
                   INTERFACE_COMPILE_DEFINITIONS "NS3_LOG_ENABLE;NS3_ASSERT_ENABLE"
                   INTERFACE_COMPILE_FEATURES cxx_std_20
                   # Libraries of modules that are not used may miss symbols (config-store wants GTK).
                   INTERFACE_LINK_OPTIONS
                   "-Wl,--allow-shlib-undefined;-Wl,-rpath-link,${Ns3_LIBRARY_DIR}")
    endif()
  endforeach()
endif()
