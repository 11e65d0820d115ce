#!/bin/bash
# Makes kind's node out of the container that this runs in, which has Debian's packages. What it
# does is what kind's Dockerfile (images/base) and `kind build node-image` do. Differences, and why:
# - containerd and runc are Debian's, where kind compiles newer ones;
# - no kindnet and no local-path-provisioner, since their images are only in registries;
# - no crictl, so that `kind export logs` lacks the list of containers.
set -euo pipefail

cp -r --no-preserve=mode /in/files/. /
chmod 755 /usr/local/bin/* /kind/bin/*
install -m 755 /in/kubeadm /in/kubelet /in/kubectl /usr/bin/

# kind calls the first two by these paths, its unit the third.
ln -sf /usr/bin/containerd /usr/bin/ctr /usr/bin/containerd-shim-runc-v2 /usr/local/bin/
mkdir -p /opt/cni /etc/cni/net.d /kind/manifests /etc/kubernetes/manifests
ln -sfT /usr/lib/cni /opt/cni/bin
ctr oci spec |
    jq '.hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
        >/etc/containerd/cri-base.json
sed -i "s|sandbox_image = .*|sandbox_image = \"$(cat /in/pause)\"|" /etc/containerd/config.toml
if ((LACKS_RESOURCE)); then
    install -m 755 /in/runc.sh /usr/local/sbin/runc
    # Without the capability no process may lower its score of the OOM killer.
    sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
else
    ln -sf /usr/sbin/runc /usr/local/sbin/runc
fi
# The kubelet refuses control groups of version 1 by default since 1.35.
sed -i 's/$/ --fail-cgroupv1=false/' /etc/default/kubelet

cp /in/network.conflist /etc/cni/net.d/10-pods.conflist
cp /in/default-cni.yaml /in/default-storage.yaml /kind/manifests/
cp /in/version /kind/version

# systemd: only what a node needs, and nothing that writes settings of the whole machine.
rm -f /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service \
    /lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* /etc/systemd/system/*.wants/* \
    /lib/systemd/system/sockets.target.wants/*{udev,initctl}* \
    /usr/lib/sysctl.d/{50-pid-max,99-protect-links}.conf
echo 'ReadKMsg=no' >>/etc/systemd/journald.conf
ln -sf /usr/lib/systemd/systemd /sbin/init
# A connection to a Service that begins before kube-proxy has its rules would leave the node untranslated
# and be retried by TCP alone, for half a minute: CoreDNS' to the API server, at each start of a node.
cat >/etc/systemd/system/refuse-early.service <<'EOF'
[Unit]
Description=Refuse connections to Services without rules
Before=containerd.service
[Service]
Type=oneshot
ExecStart=/usr/sbin/iptables -A FORWARD -d 10.96.0.0/16 -p tcp -j REJECT --reject-with tcp-reset
[Install]
WantedBy=multi-user.target
EOF
systemctl enable -q kubelet containerd undo-mount-hacks refuse-early
systemctl mask -q systemd-binfmt.service

# containerd unpacks the images from its store when the node needs them.
printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >/tmp/containerd.toml
containerd --config /tmp/containerd.toml --log-level warn &
for _ in {1..100}; do
    ctr version >/dev/null 2>&1 && break
    sleep 0.1
done
ctr -n k8s.io images import --label io.cri-containerd.pinned=pinned --all-platforms --no-unpack --digests /in/images.tar
kill $!
wait $! || true
rm -rf /tmp/containerd.toml /run/containerd
