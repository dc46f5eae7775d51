import { detected, type Finding } from './finding.ts';

/** RV415. */
export const interfaceSettingOverridden: Finding = {
  kind: {
    code: 'RV415',
    slug: 'interface-setting-overridden',
    severity: 'note',
    saidWhen: '`all` overrides the interface’s rp_filter or send_redirects',
    meaning: 'For rp_filter the greater value of `all` and the interface counts; send_redirects is on while either is.',
    whyItMatters: 'Whoever looks at the interface alone believes the filter is off.',
    example: 'net.ipv4.conf.all.rp_filter = 1, net.ipv4.conf.eth1.rp_filter = 0.',
    whatToDo: 'Set 2 on the interface: loose is greater than strict.',
    references: ['kernel include/linux/inetdevice.h: IN_DEV_RPFILTER', 'cilium/cilium#228'],
  },
  detect: (run) =>
    run.diagnosis.diagnoses.flatMap((item) =>
      (item.because ?? [])
        .filter((cause) => cause.code === 'RV415')
        .map((cause) =>
          detected({
            message: cause.message,
            key: cause.key,
            ...(cause.where !== undefined && { where: cause.where }),
          }),
        ),
    ),
};
